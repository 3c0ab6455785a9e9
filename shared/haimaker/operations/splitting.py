"""Several answers to a text as one, for a target that takes one prompt or gives one choice at a time. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from haimaker.http.errors import APIError
from haimaker.http.values import JSON, StreamEvent
from haimaker.models.rates import USD_DECIMALS
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage, sum_usages


def merge_responses(bodies: Sequence[JSON]) -> JSON:
    """Whole answers as one answer with all their choices; its usage is theirs together, none where one of them has none."""
    if len(bodies) == 1:
        return bodies[0]
    made = [choice for body in bodies for choice in sorted(body["choices"], key=_index)]
    choices = [{**choice, "index": index} for index, choice in enumerate(made)]
    return {**bodies[0], "choices": choices, "usage": _sum_usage([body.get("usage") for body in bodies])}


def concat_streams(streams: Iterable[Iterator[StreamEvent]], prompts: Sequence[int], width: int) -> Iterator[StreamEvent]:
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
                    choices = [{**choice, "index": _index(choice) + number * width} for choice in chunk.body["choices"]]
                    body = {**chunk.body, **head, "choices": choices}
                    body.pop("usage", None)  # of one call alone: it is told with the others' at the end
                    yield StreamEvent(body)
    except APIError:
        if said:  # else nothing has begun, and another target may be tried
            known = [each or usage.to_openai(Usage(input=prompt)) for each, prompt in zip(said, prompts, strict=False)]
            yield StreamEvent({**head, "choices": [], "usage": _sum_usage(known)})
        raise
    if said:  # else there is no answer
        yield StreamEvent({**head, "choices": [], "usage": _sum_usage(said)})


def _sum_usage(said: Sequence[JSON | None]) -> JSON | None:
    """Usage objects as one, with the cost if all of them have it; None where one is missing."""
    if not said or not all(said):
        return None
    tokens = sum_usages([usage.from_openai(each) for each in said])
    cost = {} if tokens.reported_units is None else {"cost": f"{tokens.reported_units}e-{USD_DECIMALS}"}
    return {**usage.to_openai(tokens), **cost}


def _index(choice: JSON) -> int:
    return int(choice.get("index") or 0)
