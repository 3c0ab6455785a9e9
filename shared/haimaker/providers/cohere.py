"""Cohere.

https://docs.cohere.com/reference/chat; the cost is what it invoices, which is less than what its models read.
"""

from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "cohere",
    adapter="cohere",
    endpoint=Endpoint("https://api.cohere.com/v2"),
    auth=Auth(key_variables=("CO_API_KEY",)),
    dialect=Dialect(
        ranges={
            "temperature": (0, 1),
            "top_p": (0.01, 0.99),
            "frequency_penalty": (0, 1),
            "presence_penalty": (0, 1),
            "seed": (0, 2**53),
        }
    ),
    limits=Limits(single_choice=True),
    catalog=Catalog(reports_cost=True),
)
