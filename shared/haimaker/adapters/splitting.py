"""Several choices or prompts at a target that takes one: as many calls, and one answer made of theirs. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from haimaker import adapters
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, StreamEvent
from haimaker.models.catalog import USD_DECIMALS
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import Asked, CompletionRequest
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage, sum_usages


def split(request: Asked, attempt: Attempt) -> list[Asked]:
    """The requests to make for one of a client's: one, unless the target takes one prompt or gives one choice at a time."""
    requests: list[Asked] = [request]
    if isinstance(request, CompletionRequest) and (attempt.provider.limits.single_prompt or not adapters.completes(attempt)):
        requests = _one_prompt_each(request)
    if attempt.provider.limits.single_choice:
        requests = [_with(each, {"n": None}) for each in requests for _ in range(request.fields.n or 1)]
    return requests


def joined(bodies: Sequence[JSON]) -> JSON:
    """Whole answers as one answer with all their choices; its usage is theirs together, none where one of them has none."""
    if len(bodies) == 1:
        return bodies[0]
    made = [choice for body in bodies for choice in sorted(body["choices"], key=_index)]
    choices = [{**choice, "index": index} for index, choice in enumerate(made)]
    return {**bodies[0], "choices": choices, "usage": _told([body.get("usage") for body in bodies])}


def one_after_another(streams: Iterable[Iterator[StreamEvent]], prompts: Sequence[int], width: int) -> Iterator[StreamEvent]:
    """Streams of `width` choices each as one stream, with one chunk of usage at its end, also when one of them breaks off.

    `prompts` are estimates of their tokens, for a stream that breaks off before it says what was read.
    """
    said: list[JSON | None] = []
    head: JSON = {}
    try:
        for number, stream in enumerate(streams):
            for chunk in stream:
                said += [None] * (number + 1 - len(said))
                head = head or {name: value for name, value in chunk.body.items() if name not in ("choices", "usage")}
                said[number] = chunk.body.get("usage") or said[number]
                if chunk.body.get("choices"):
                    yield _moved(chunk, number * width, head)
    except APIError:
        if said:  # else nothing has begun, and another target may be tried
            known = [each or usage.to_openai(Usage(input=prompt)) for each, prompt in zip(said, prompts, strict=False)]
            yield StreamEvent({**head, "choices": [], "usage": _told(known)})
        raise
    yield StreamEvent({**head, "choices": [], "usage": _told(said)})


def _told(said: Sequence[JSON | None]) -> JSON | None:
    """Usage objects as one, with the cost if all of them have it; None where one is missing."""
    if not said or not all(said):
        return None
    tokens = sum_usages([usage.from_openai(each) for each in said])
    cost = {} if tokens.reported_units is None else {"cost": f"{tokens.reported_units}e-{USD_DECIMALS}"}
    return {**usage.to_openai(tokens), **cost}


def _one_prompt_each(request: CompletionRequest) -> list[Asked]:
    """A request per prompt, whose size is an upper bound: that of all without what the other prompts have at least."""
    least = [usage.utf8_length(prompt) if isinstance(prompt, str) else len(prompt) for prompt in request.prompts]
    others = [sum(least) - own for own in least]
    requests = [_with(request, {"prompt": prompt}) for prompt in request.prompts]
    return [replace(each, size=request.size - other) for each, other in zip(requests, others, strict=True)]


def _with(request: Asked, fields: JSON) -> Asked:
    """The request with other values of some fields, or without those that are None."""
    body = {name: value for name, value in {**request.body, **fields}.items() if name not in fields or value is not None}
    return replace(request, body=body, fields=request.fields.model_copy(update=fields))


def _moved(chunk: StreamEvent, by: int, head: JSON) -> StreamEvent:
    """A chunk as part of a longer stream; its usage, of one call alone, is told with the others' at the end."""
    choices = [{**choice, "index": _index(choice) + by} for choice in chunk.body["choices"]]
    return StreamEvent({**{name: value for name, value in chunk.body.items() if name != "usage"}, **head, "choices": choices})


def _index(choice: JSON) -> int:
    return int(choice.get("index") or 0)
