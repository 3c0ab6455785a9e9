"""Rows of providers that generate no text: embeddings, rerank, images, audio. Data only."""

from haimaker.provider import RERANK_HAS_NOT, Provider

TEI_RERANK = Provider("tei", adapter="tei", add={"truncate": True}, most_inputs=32)
"""Its servers refuse a text that is too long, and more than 32 at once, unless told otherwise."""

SPECIAL: tuple[Provider, ...] = (
    # https://docs.voyageai.com/reference/embeddings-api: numbers come unless base64 is asked for, and no other word is taken.
    Provider(
        "voyage",
        "https://api.voyageai.com/v1",
        adapter="",
        operations={
            "embeddings": Provider(
                "voyage", rename={"dimensions": "output_dimension"}, drop=("user",), values={"encoding_format": {"float": ""}}
            ),
            # https://docs.voyageai.com/reference/reranker-api
            "rerank": Provider("voyage", rename={"top_n": "top_k"}, drop=RERANK_HAS_NOT, most_inputs=1_000),
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
            # https://jina.ai/reranker/
            "rerank": Provider("jina_ai", drop=RERANK_HAS_NOT, document_fields=("image",), most_inputs=2_048),
        },
    ),
    # https://github.com/michaelfeil/infinity
    Provider(
        "infinity", adapter="", operations={"embeddings": Provider("infinity"), "rerank": Provider("infinity")}, models=("*",)
    ),
    # https://huggingface.github.io/text-embeddings-inference/
    Provider("tei", adapter="", operations={"embeddings": Provider("tei"), "rerank": TEI_RERANK}, models=("*",)),
)
"""Without an adapter of their own they are asked for nothing but their `operations`."""
