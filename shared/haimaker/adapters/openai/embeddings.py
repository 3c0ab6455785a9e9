"""Embeddings of OpenAI and of every provider that speaks its format. Edits what must change, passes the rest.

https://platform.openai.com/docs/api-reference/embeddings
"""

from typing import Any

from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.openai.requests import drop_unsupported, rename_fields
from haimaker.http.errors import BadGatewayError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.embeddings import EmbeddingRequest
from haimaker.operations.fields import OURS
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_upstream", "read_error", "to_upstream"]

PATH = "/embeddings"


def to_upstream(request: EmbeddingRequest, attempt: Attempt) -> UpstreamRequest:
    dialect = attempt.provider.dialect
    body: JSON = {name: value for name, value in request.body.items() if name not in OURS}
    body, dropped = drop_unsupported(rename_fields(body, dialect.rename), dialect, forced=bool(request.body.get("drop_params")))
    for name, spellings in dialect.values.items():
        if isinstance(body.get(name), str):
            body[name] = spellings.get(body[name], body[name])
    body = {name: value for name, value in body.items() if value != ""}
    headers = {"content-type": "application/json", **dialect.headers}
    return UpstreamRequest(PATH, dumps({**dialect.add, **body, "model": attempt.model}), headers, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: EmbeddingRequest, attempt: Attempt) -> Result:
    body = answer.object()
    if not isinstance(body.get("data"), list):
        if is_failure(body):
            raise from_body(body)
        raise BadGatewayError("The provider's answer has no embeddings.", code="invalid_provider_response")
    data = [{"object": "embedding", "index": index, **item} for index, item in enumerate(body["data"]) if isinstance(item, dict)]
    encoded = [{**item, "embedding": request.encode_vector(item.get("embedding"))} for item in data]
    return Result({"object": "list", "model": attempt.model, **body, **_usage(body.get("usage")), "data": encoded})


def _usage(used: Any) -> JSON:
    """The usage with `prompt_tokens`, which the SDK wants, where there is only a total:
    https://docs.voyageai.com/reference/embeddings-api"""
    total = used.get("total_tokens") if isinstance(used, dict) else None
    return {"usage": {"prompt_tokens": total, **used}} if type(total) is int else {}
