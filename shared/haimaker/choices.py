"""Several choices from a provider that gives one: as many calls, and one answer made of theirs. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace

from haimaker import usage
from haimaker.errors import APIError
from haimaker.schema import ChatRequest
from haimaker.usage import Tokens
from haimaker.wire import JSON, Chunk


def single(request: ChatRequest) -> ChatRequest:
    """The request for one choice."""
    body = {name: value for name, value in request.body.items() if name != "n"}
    return replace(request, body=body, fields=request.fields.model_copy(update={"n": None}))


def joined(bodies: Sequence[JSON]) -> JSON:
    """Whole answers of one choice each as one answer; its usage is theirs together."""
    if len(bodies) == 1:
        return bodies[0]
    choices = [{**choice, "index": index} for index, body in enumerate(bodies) for choice in body["choices"]]
    used = [usage.from_openai(body.get("usage")) for body in bodies]
    return {**bodies[0], "choices": choices, "usage": usage.to_openai(total(used))}


def one_after_another(streams: Iterable[Iterator[Chunk]]) -> Iterator[Chunk]:
    """Streams of one choice each as one stream, with one chunk of usage at its end, also when one of them breaks off."""
    used: list[Tokens] = []
    head: JSON = {}
    try:
        for index, stream in enumerate(streams):
            for chunk in stream:
                head = head or {name: value for name, value in chunk.body.items() if name not in ("choices", "usage")}
                if chunk.body.get("usage"):
                    used.append(usage.from_openai(chunk.body["usage"]))
                if chunk.body.get("choices"):
                    yield _at(chunk, index, head)
    except APIError:
        yield _usage_chunk(head, used)
        raise
    yield _usage_chunk(head, used)


def total(used: Sequence[Tokens]) -> Tokens:
    counts = [name for name in (field.name for field in fields(Tokens)) if isinstance(getattr(Tokens(), name), int)]
    return Tokens(**{name: sum(getattr(tokens, name) for tokens in used) for name in counts})


def _at(chunk: Chunk, index: int, head: JSON) -> Chunk:
    choices = [{**choice, "index": index} for choice in chunk.body["choices"]]
    return Chunk({**chunk.body, **head, "choices": choices})


def _usage_chunk(head: JSON, used: Sequence[Tokens]) -> Chunk:
    return Chunk({**head, "choices": [], "usage": usage.to_openai(total(used)) if used else None})
