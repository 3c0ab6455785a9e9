"""Several choices or prompts at a target that takes one: as many calls, and one answer made of theirs. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace

from haimaker import adapters, usage
from haimaker.errors import APIError
from haimaker.schema import Asked, CompletionRequest
from haimaker.usage import Tokens
from haimaker.wire import JSON, Attempt, Chunk


def split(request: Asked, attempt: Attempt) -> list[Asked]:
    """The requests to make for one of a client's: one, unless the target takes one prompt or gives one choice at a time."""
    requests: list[Asked] = [request]
    if isinstance(request, CompletionRequest) and not adapters.completes(attempt):
        requests = [_with(request, {"prompt": prompt}) for prompt in request.prompts]
    if attempt.provider.single_choice:
        requests = [_with(each, {"n": None}) for each in requests for _ in range(request.fields.n or 1)]
    return requests


def joined(bodies: Sequence[JSON]) -> JSON:
    """Whole answers as one answer with all their choices; its usage is theirs together."""
    if len(bodies) == 1:
        return bodies[0]
    made = [choice for body in bodies for choice in sorted(body["choices"], key=lambda choice: int(choice.get("index", 0)))]
    used = [usage.from_openai(body.get("usage")) for body in bodies]
    choices = [{**choice, "index": index} for index, choice in enumerate(made)]
    return {**bodies[0], "choices": choices, "usage": usage.to_openai(total(used))}


def one_after_another(streams: Iterable[Iterator[Chunk]], width: int) -> Iterator[Chunk]:
    """Streams of `width` choices each as one stream, with one chunk of usage at its end, also when one of them breaks off."""
    used: list[Tokens] = []
    head: JSON = {}
    try:
        for number, stream in enumerate(streams):
            for chunk in stream:
                head = head or {name: value for name, value in chunk.body.items() if name not in ("choices", "usage")}
                if chunk.body.get("usage"):
                    used.append(usage.from_openai(chunk.body["usage"]))
                if chunk.body.get("choices"):
                    yield _moved(chunk, number * width, head)
    except APIError:
        yield _usage_chunk(head, used)
        raise
    yield _usage_chunk(head, used)


def total(used: Sequence[Tokens]) -> Tokens:
    counts = [name for name in (field.name for field in fields(Tokens)) if isinstance(getattr(Tokens(), name), int)]
    return Tokens(**{name: sum(getattr(tokens, name) for tokens in used) for name in counts})


def _with(request: Asked, fields: JSON) -> Asked:
    """The request with other values of some fields, or without those that are None."""
    body = {name: value for name, value in {**request.body, **fields}.items() if name not in fields or value is not None}
    return replace(request, body=body, fields=request.fields.model_copy(update=fields))


def _moved(chunk: Chunk, by: int, head: JSON) -> Chunk:
    choices = [{**choice, "index": int(choice.get("index", 0)) + by} for choice in chunk.body["choices"]]
    return Chunk({**chunk.body, **head, "choices": choices})


def _usage_chunk(head: JSON, used: Sequence[Tokens]) -> Chunk:
    return Chunk({**head, "choices": [], "usage": usage.to_openai(total(used)) if used else None})
