"""AI21 by its other name."""

from haimaker.lean_dataclasses import replace
from haimaker.providers import ai21
from haimaker.providers.provider import Auth, Catalog

PROVIDER = replace(
    ai21.PROVIDER,
    name="ai21_chat",
    auth=Auth(key_variables=("AI21_API_KEY",)),
    catalog=Catalog(priced_as="ai21"),
)
