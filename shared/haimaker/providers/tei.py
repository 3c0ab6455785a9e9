"""Text Embeddings Inference, a server of one's own.

https://huggingface.github.io/text-embeddings-inference/
"""

from haimaker.providers.provider import Catalog, Dialect, Limits, Provider

# https://huggingface.github.io/text-embeddings-inference/: unless told otherwise a server refuses a text that is too long, and more
# than 32 at once.
RERANK = Provider("tei", adapter="tei", dialect=Dialect(add={"truncate": True}), limits=Limits(max_inputs=32))

PROVIDER = Provider("tei", adapter="", catalog=Catalog(models=("*",)), operations={"embeddings": Provider("tei"), "rerank": RERANK})
