"""Jina AI.

https://jina.ai/embeddings/
"""

from haimaker.providers.common import COHERE_LIMITS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

RERANK = Provider("jina_ai", dialect=Dialect(drop=COHERE_LIMITS, document_fields=("image",)), limits=Limits(max_inputs=2_048))

PROVIDER = Provider(
    "jina_ai",
    adapter="",
    endpoint=Endpoint("https://api.jina.ai/v1"),
    auth=Auth(key_variables=("JINA_API_KEY",)),
    operations={
        "embeddings": Provider("jina_ai", dialect=Dialect(rename={"encoding_format": "embedding_type"}, drop=("user",))),
        "rerank": RERANK,
    },
)
