"""The `demo/` models: a provider inside the process, offline and deterministic. Nothing here is a model.

Each operation answers an UpstreamRequest in OpenAI's format with an UpstreamResponse, as a server would, so that all of the gateway
is at work when a newcomer tries it and when it is measured.
"""

from collections.abc import Iterable
from importlib import import_module

from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest, UpstreamResponse

OPERATIONS = {
    "/chat/completions": "haimaker.demo.chat",
    "/audio/speech": "haimaker.demo.speech",
    "/audio/transcriptions": "haimaker.demo.transcriptions",
    "/audio/translations": "haimaker.demo.transcriptions",
    "/embeddings": "haimaker.demo.embeddings",
    "/images/edits": "haimaker.demo.images",
    "/images/generations": "haimaker.demo.images",
    "/images/variations": "haimaker.demo.images",
    "/moderations": "haimaker.demo.moderations",
    "/rerank": "haimaker.demo.rerank",
}


def send(request: UpstreamRequest, request_id: str, created_s: int) -> UpstreamResponse:
    answer: UpstreamResponse = import_module(OPERATIONS[request.path]).send(request, request_id, created_s)
    return answer


def no_such_model(model: object, models: Iterable[str]) -> UpstreamResponse:
    """The refusal of a name that is none of `models`."""
    text = f"There is no demo model {model!r} for this; there are {', '.join(sorted(models))}."
    refused = dumps({"error": {"message": text, "param": "model", "code": "model_not_found"}})
    return UpstreamResponse(404, {"content-type": "application/json"}, iter([refused]))
