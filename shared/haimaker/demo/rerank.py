"""Rerank of the `demo/` models: by how much of the words' parts a document shares with the query."""

import json

from haimaker.demo import no_such_model
from haimaker.demo.embeddings import vector
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse

MODELS = ("rerank",)


def send(request: UpstreamRequest, request_id: str, created_s: int) -> UpstreamResponse:
    body: JSON = json.loads(request.body)
    if body["model"] not in MODELS:
        return no_such_model(body["model"], MODELS)
    query = vector(body["query"])
    products = [sum(a * b for a, b in zip(query, vector(document), strict=True)) for document in body["documents"]]
    scores = [round(max(0.0, product), 6) for product in products]
    results = [{"index": index, "relevance_score": score} for index, score in enumerate(scores)]
    tokens = sum(len(f"{body['query']} {document}".split()) for document in body["documents"])
    answer = {"id": request_id, "results": results, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return UpstreamResponse(200, {"content-type": "application/json"}, iter([dumps(answer)]))
