"""Rows of providers that generate no text: embeddings, rerank, images, audio. Data only."""

from haimaker.providers.provider import Provider
from haimaker.providers.rows import moderations, rerank

SPECIAL: tuple[Provider, ...] = (
    moderations.AZURE_CONTENT_SAFETY,
    # https://docs.voyageai.com/reference/embeddings-api: numbers come unless base64 is asked for, and no other word is taken.
    Provider(
        "voyage",
        "https://api.voyageai.com/v1",
        adapter="",
        operations={
            "embeddings": Provider(
                "voyage", rename={"dimensions": "output_dimension"}, drop=("user",), values={"encoding_format": {"float": ""}}
            ),
            "rerank": rerank.VOYAGE,
        },
    ),
    # https://jina.ai/embeddings/
    Provider(
        "jina_ai",
        "https://api.jina.ai/v1",
        ("JINA_API_KEY",),
        adapter="",
        operations={
            "embeddings": Provider("jina_ai", rename={"encoding_format": "embedding_type"}, drop=("user",)),
            "rerank": rerank.JINA_AI,
        },
    ),
    # https://github.com/michaelfeil/infinity
    Provider(
        "infinity", adapter="", operations={"embeddings": Provider("infinity"), "rerank": Provider("infinity")}, models=("*",)
    ),
    # https://huggingface.github.io/text-embeddings-inference/
    Provider("tei", adapter="", operations={"embeddings": Provider("tei"), "rerank": rerank.TEI}, models=("*",)),
)
"""Without an adapter of their own they are asked for nothing but their `operations`."""
