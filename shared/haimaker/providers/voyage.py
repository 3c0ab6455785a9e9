"""Voyage AI.

https://docs.voyageai.com/reference/embeddings-api: numbers come unless base64 is asked for, and no other word is taken.
"""

from haimaker.providers.common import COHERE_LIMITS
from haimaker.providers.provider import Dialect, Endpoint, Limits, Provider

# https://docs.voyageai.com/reference/reranker-api
RERANK = Provider("voyage", dialect=Dialect(rename={"top_n": "top_k"}, drop=COHERE_LIMITS), limits=Limits(max_inputs=1_000))

PROVIDER = Provider(
    "voyage",
    adapter="",
    endpoint=Endpoint("https://api.voyageai.com/v1"),
    operations={
        "embeddings": Provider(
            "voyage",
            dialect=Dialect(rename={"dimensions": "output_dimension"}, drop=("user",), values={"encoding_format": {"float": ""}}),
        ),
        "rerank": RERANK,
    },
)
