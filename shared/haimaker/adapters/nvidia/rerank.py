"""Rerank of NVIDIA's NIM: at a place of each model's own where NVIDIA hosts it, at `/ranking` on a server of one's own.

https://docs.api.nvidia.com/nim/reference/nvidia-llama-3_2-nv-rerankqa-1b-v2-infer
https://docs.nvidia.com/nim/nemo-retriever/text-reranking/latest/using-reranking.html
"""

import re
from urllib.parse import quote

from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.openai.rerank import from_upstream, most_at_once
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.rerank import RerankRequest

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

OWN_SERVER = "ranking/"
"""The prefix of a model that is not served at NVIDIA's own address."""


def to_upstream(request: RerankRequest, attempt: Attempt) -> UpstreamRequest:
    options, dropped = request.options()
    name = attempt.model.removeprefix(OWN_SERVER)
    path = "/ranking" if name != attempt.model else f"/retrieval/{quote(name.replace('.', '_'), safe='/')}/reranking"
    passages = [{"text": text} for text in request.texts]
    model = re.sub(r"(?<=\d)_(?=\d)", ".", name)  # a path has an underline where the version's name has a point
    body: JSON = {**attempt.provider.dialect.add, **options, "model": model, "query": {"text": request.query}, "passages": passages}
    headers = {"content-type": "application/json", "accept": "application/json"}
    return UpstreamRequest(path, dumps(body), headers, dropped=dropped)
