"""OpenAI's chat completions, whose shape is the one that all answers to a chat have inside the gateway.

https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Iterator

from haimaker.api.formats.account_ids import show_container
from haimaker.http.errors import APIError
from haimaker.http.sse import DONE, KEEP_ALIVE, dumps, encode, encode_error
from haimaker.http.values import JSON, StreamEvent
from haimaker.operations.chat import parse_chat
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.operation import OperationRequest, Result


def render(request: OperationRequest, result: Result, request_id: str) -> tuple[str, bytes]:
    return "application/json", dumps(_with_container(result.body, request_id))


def events(request: OperationRequest, chunks: Iterator[StreamEvent], request_id: str) -> Iterator[bytes]:
    """https://platform.openai.com/docs/api-reference/chat-streaming"""
    for chunk in chunks:
        if "container" in chunk.body:
            chunk = chunk._replace(body=_with_container(chunk.body, request_id), raw=None)
        yield encode(chunk)


def _with_container(body: JSON, request_id: str) -> JSON:
    """The same body, or one with our id of the container in which a provider ran code."""
    return {**body, "container": show_container(body["container"], request_id)} if body.get("container") else body


def render_error(error: APIError, request_id: str) -> JSON:
    return error.body()


FORMAT = ClientFormat(
    lambda request: parse_chat(request.body, request.path.get("model")),
    render,
    events,
    render_error,
    lambda error, request_id, sent: encode_error(error.body()),
    KEEP_ALIVE,
    done=DONE,
)
