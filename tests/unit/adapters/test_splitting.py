"""Several choices or prompts at a target that takes one: the same choices in order, whole and streamed, and all that was used."""

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http.errors import APIError, BadGatewayError
from haimaker.http.values import JSON, StreamEvent
from haimaker.operations import splitting
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import TextRequest
from haimaker.operations.completions import CompletionRequest
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage
from tests.support.builders import attempt, chat_request, completion_request

COMPLETES = attempt("openai/davinci-002")
CHATS = attempt("litellm_proxy/m")
CHATS_ONE = attempt("anthropic/claude-haiku-4-5")
COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def asked(request: TextRequest) -> tuple[Any, int | None]:
    return (request.fields.prompt if isinstance(request, CompletionRequest) else None), request.fields.n


@pytest.mark.parametrize(
    ("request_", "target", "calls"),
    [
        (chat_request(n=3), CHATS, [(None, 3)]),
        (chat_request(n=3), CHATS_ONE, [(None, None)] * 3),
        (completion_request(prompt=["a", "b"], n=2), COMPLETES, [(["a", "b"], 2)]),
        (completion_request(prompt=["a", "b"], n=2), CHATS, [("a", 2), ("b", 2)]),
        (completion_request(prompt=["a", "b"], n=2), CHATS_ONE, [("a", None), ("a", None), ("b", None), ("b", None)]),
        (completion_request(prompt="a"), CHATS_ONE, [("a", None)]),
        (completion_request(prompt=[[1, 2], [3]]), CHATS, [([1, 2], None), ([3], None)]),
        (completion_request(prompt=[1, 2]), CHATS, [([1, 2], None)]),
        (completion_request(prompt=["a", "b"], n=2), attempt("deepinfra/m"), [("a", 2), ("b", 2)]),
    ],
)
def test_a_request_becomes_as_many_as_its_target_needs(request_: TextRequest, target: Attempt, calls: list[Any]) -> None:
    made = request_.split(target)
    assert [asked(each) for each in made] == calls
    for each in made:
        assert each.body.get("n") == each.fields.n
        assert each.body.get("prompt") == asked(each)[0]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_the_size_of_a_call_is_not_less_than_its_body(prompts: list[str]) -> None:
    """So that what is put aside for it covers it."""
    calls = completion_request(prompt=prompts).split(CHATS)
    for call in calls:
        sent = json.dumps(call.body, ensure_ascii=False).encode()
        assert call.size >= len(sent)


class Model:
    """Answers every call with texts that no other has, and says what it used."""

    def __init__(self, *, every_chunk: bool = False, together: bool = False) -> None:
        self.every_chunk, self.together = every_chunk, together
        self.numbers = count()

    def texts(self, call: TextRequest) -> list[str]:
        return [f"{asked(call)[0]}-{next(self.numbers)}" for _ in range(call.fields.n or 1)]

    def whole(self, call: TextRequest) -> JSON:
        made = [{"index": index, "text": text, "finish_reason": "stop"} for index, text in enumerate(self.texts(call))]
        return {"id": f"cmpl-{made[0]['text']}", "choices": made[::-1], "usage": COUNTS}

    def stream(self, call: TextRequest) -> Iterator[StreamEvent]:
        texts = self.texts(call)
        head = {"id": f"cmpl-{texts[0]}"}
        for index, text in reversed(list(enumerate(texts))):
            for piece, reason in ((text[:2], None), (text[2:], "stop")):
                said = {"index": index, "text": piece, "finish_reason": reason}
                partial = {"usage": {**COUNTS, "completion_tokens": 1}} if self.every_chunk else {}
                yield StreamEvent({**head, "choices": [said], **partial, **({"usage": COUNTS} if self.together and reason else {})})
        if not self.together:
            yield StreamEvent({**head, "choices": [], "usage": COUNTS})


def folded(chunks: list[StreamEvent]) -> list[tuple[int, str]]:
    texts: defaultdict[int, str] = defaultdict(str)
    for choice in (choice for chunk in chunks for choice in chunk.body["choices"]):
        texts[choice["index"]] += choice["text"]
    return sorted(texts.items())


def streamed(model: Model, calls: list[TextRequest]) -> list[StreamEvent]:
    return list(splitting.concat_streams((model.stream(call) for call in calls), [1] * len(calls), calls[0].fields.n or 1))


@given(
    st.lists(st.text("abc", max_size=3), min_size=1, max_size=5),
    st.integers(1, 4),
    st.sampled_from([CHATS, CHATS_ONE]),
    st.booleans(),
    st.booleans(),
)
def test_whole_and_streamed_answers_have_the_same_choices_in_order(
    prompts: list[str], n: int, target: Attempt, every_chunk: bool, together: bool
) -> None:
    calls = completion_request(prompt=prompts, n=n).split(target)
    whole = splitting.merge_responses([(model := Model()).whole(calls[0]), *(model.whole(call) for call in calls[1:])])
    chunks = streamed(Model(every_chunk=every_chunk, together=together), calls)
    made = sorted((choice["index"], choice["text"]) for choice in whole["choices"])
    assert [text.split("-")[0] for _, text in made] == [prompt for prompt in prompts for _ in range(n)]
    assert [index for index, _ in made] == list(range(len(prompts) * n))
    if len(calls) > 1:
        assert folded(chunks) == made
        assert {chunk.body["id"] for chunk in chunks} == {chunks[0].body["id"]}
        assert [chunk for chunk in chunks if chunk.body.get("usage")] == chunks[-1:]
        for said in (whole["usage"], chunks[-1].body["usage"]):
            assert (said["prompt_tokens"], said["completion_tokens"]) == (3 * len(calls), 2 * len(calls))


def breaks(after: list[StreamEvent]) -> Iterator[StreamEvent]:
    yield from after
    raise BadGatewayError("It is gone.")


def opens(*streams: Iterator[StreamEvent] | None) -> Iterator[Iterator[StreamEvent]]:
    for stream in streams:
        if stream is None:
            raise BadGatewayError("It does not answer.")
        yield stream


FIRST = list(Model(together=True).stream(completion_request(prompt="a")))
CUT = [StreamEvent({"id": "cmpl-2", "choices": [{"index": 0, "text": "b", "finish_reason": None}]})]


@pytest.mark.parametrize(
    ("second", "prompt_tokens"),
    [(None, 3), (breaks([]), 3), (breaks(CUT), 3 + 7), (breaks(FIRST), 3 + 3)],
    ids=["not opened", "nothing", "some", "its usage"],
)
def test_a_stream_that_breaks_off_says_what_was_used_until_then(second: Iterator[StreamEvent] | None, prompt_tokens: int) -> None:
    seen: list[StreamEvent] = []
    chunks = splitting.concat_streams(opens(iter(FIRST), second), [7, 7], 1)
    with pytest.raises(APIError):
        list(map(seen.append, chunks))
    assert usage.from_openai(seen[-1].body["usage"]).prompt == prompt_tokens


def test_streams_that_say_nothing_are_no_answer() -> None:
    assert list(splitting.concat_streams(opens(iter(()), iter(())), [7, 7], 1)) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([COUNTS, COUNTS], {"prompt_tokens": 6, "completion_tokens": 4}),
        ([COUNTS, None], None),
        ([COUNTS, {}], None),
        ([{**COUNTS, "cost": 0.25}, {**COUNTS, "cost": "1e-9"}], {"cost": "250000001e-9"}),
        ([{**COUNTS, "cost": 0.25}, COUNTS], {"prompt_tokens": 6}),
    ],
)
def test_usage_is_summed_and_unknown_where_one_call_does_not_tell(said: list[JSON | None], expected: JSON | None) -> None:
    told = splitting.merge_responses([{"choices": [], "usage": each} for each in said])["usage"]
    if expected is None:
        assert told is None
        return
    cost = expected.pop("cost", None)
    assert expected.items() <= told.items()
    assert usage.from_openai(told).reported_units == (None if cost is None else usage.from_openai({"cost": cost}).reported_units)


def test_one_answer_is_passed_on_as_it_is() -> None:
    body = {"choices": [{"index": 5}], "usage": None}
    assert splitting.merge_responses([body]) is body


def test_all_counts_are_summed() -> None:
    every = Usage(*range(1, 13), web_searches=13, citations=14, service_tier="flex", reported_units=15)
    both = usage.sum_usages([every, every])
    assert (both.prompt, both.completion) == (2 * every.prompt, 2 * every.completion)
    assert (both.web_searches, both.citations, both.service_tier, both.reported_units) == (26, 28, "flex", 30)
    assert usage.sum_usages([]) == Usage()
