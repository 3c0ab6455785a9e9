"""Infinity, a server of one's own.

https://github.com/michaelfeil/infinity
"""

from haimaker.providers.provider import Catalog, Provider

PROVIDER = Provider(
    "infinity",
    adapter="",
    catalog=Catalog(models=("*",)),
    operations={"embeddings": Provider("infinity"), "rerank": Provider("infinity")},
)
