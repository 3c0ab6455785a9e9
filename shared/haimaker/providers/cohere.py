"""Cohere.

https://docs.cohere.com/reference/chat; the cost is what it invoices, which is less than what its models read.
"""

from haimaker.providers.provider import Auth, Catalog, Endpoint, Limits, Provider

PROVIDER = Provider(
    "cohere",
    adapter="cohere",
    endpoint=Endpoint("https://api.cohere.com/v2"),
    auth=Auth(key_variables=("CO_API_KEY",)),
    limits=Limits(single_choice=True),
    catalog=Catalog(reports_cost=True),
)
