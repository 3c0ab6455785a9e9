"""Responses of providers that store none: stored here where content may be kept, and a conversation goes on from them."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from haimaker.content.responses import MAX_BYTES
from tests.contract.money_support import Desk, serving
from tests.contract.sdk_support import MODEL, environment, only_record, price
from tests.contract.test_messages import chat_reply
from tests.contract.test_responses import CALL, GPT, OUTPUT, WEATHER, WHOLE
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import Reply


@pytest.fixture(scope="module")
def keeping(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A gateway whose deployer allows content to be kept."""
    folder = tmp_path_factory.mktemp("stored")
    with serving(folder, upstream, **environment(upstream, folder), HAIMAKER_LOG_CONTENT="true") as desk:
        yield desk


def sdk(desk: Desk, **fields: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=desk.url, api_key=desk.key(**fields), max_retries=0)


def ask(client: openai.OpenAI, *, stream: bool, **fields: Any) -> Any:
    if not stream:
        return client.responses.create(**fields)
    with client.responses.stream(**fields) as events:
        return events.get_final_response()


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_goes_on_from_an_answer_of_any_model(keeping: Desk, upstream: FakeUpstream, stream: bool) -> None:
    """The provider gets all of it, reasoning and calls too, and the key pays for that; asking of a response is free."""
    client = sdk(keeping, log_content=True)
    message = {"reasoning_content": "Hm.", "content": "Let me see.", "tool_calls": [CALL]}
    upstream.answers(chat_reply(message, "tool_calls", stream=stream), chat_reply({"content": "Rain."}, "stop", stream=stream))
    first = ask(client, stream=stream, model=MODEL, input="Weather?", tools=[WEATHER], instructions="Be brief.")
    assert (first.store, [item.type for item in first.output]) == (True, ["reasoning", "message", "function_call"])
    result: Any = [{"type": "function_call_output", "call_id": "call_1", "output": "rain"}]
    second = ask(client, stream=stream, model=MODEL, input=result, previous_response_id=first.id, tools=[WEATHER])
    assert (second.output_text, second.previous_response_id) == ("Rain.", first.id)
    asked, said, told = upstream.calls[-1].json["messages"]
    assert (asked, told) == ({"role": "user", "content": "Weather?"}, {"role": "tool", "tool_call_id": "call_1", "content": "rain"})
    assert (said["content"], said["tool_calls"]) == ("Let me see.", [CALL])
    upstream.answers(chat_reply({"content": "Yes."}, "stop", stream=stream))
    third = ask(client, stream=stream, model=MODEL, input="Really?", previous_response_id=second.id)
    assert [turn["role"] for turn in upstream.calls[-1].json["messages"]] == ["user", "assistant", "tool", "assistant", "user"]
    upstream.answers(chat_reply({"content": "Yes."}, "stop", stream=False))
    client.responses.create(model=MODEL, previous_response_id=second.id)
    assert [turn["role"] for turn in upstream.calls[-1].json["messages"]] == ["user", "assistant", "tool", "assistant"]
    asked_upstream = len(upstream.calls)
    found = client.responses.retrieve(third.id)
    assert (found.id, found.output_text, found.usage, found.store) == (third.id, "Yes.", third.usage, True)
    listed = list(client.responses.input_items.list(third.id, order="asc", limit=2))  # the SDK asks for one page after the other
    kinds = ["message", "reasoning", "message", "function_call", "function_call_output", "message", "message"]
    assert [item.type for item in listed] == kinds
    assert listed[-1].content[0].text == "Really?"  # type: ignore[union-attr]
    newest = client.responses.input_items.list(third.id)
    assert [item.id for item in newest] == [item.id for item in reversed(listed)]
    assert [record.cost_nanousd for record in keeping.records(client.api_key)] == [price(12, 5)] * 4
    assert len(upstream.calls) == asked_upstream
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(third.id)
    client.responses.delete(third.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(third.id)
    assert client.responses.retrieve(second.id).id == second.id


def test_items_are_named_by_their_ids(keeping: Desk, upstream: FakeUpstream) -> None:
    """As the AI SDK does with reasoning; the last response knows the items of those before it."""
    client = sdk(keeping, log_content=True)
    upstream.answers(*[chat_reply({"reasoning_content": "Hm.", "content": "Rain."}, "stop", stream=False)] * 2)
    turns: list[Any] = []
    for text in ("Weather?", "And?"):
        turns.append({"role": "user", "content": text})
        answer = client.responses.create(model=MODEL, input=turns)
        turns += [{"type": "item_reference", "id": item.id} for item in answer.output]
    upstream.answers(chat_reply({"content": "Yes."}, "stop", stream=False))
    client.responses.create(model=MODEL, input=[*turns, {"role": "user", "content": "Really?"}])
    told = [(turn["role"], turn["content"]) for turn in upstream.calls[-1].json["messages"]]
    said = ("assistant", "Rain.")
    assert told == [("user", "Weather?"), said, ("user", "And?"), said, ("user", "Really?")]
    with pytest.raises(openai.NotFoundError):
        sdk(keeping).responses.create(model=MODEL, input=turns)


def test_another_provider_goes_on_from_it(keeping: Desk, upstream: FakeUpstream) -> None:
    """What the gateway made up of the conversation is not shown to one that speaks the format."""
    client = sdk(keeping)
    upstream.answers(chat_reply({"reasoning_content": "Hm.", "content": "Rain."}, "stop", stream=False), Reply.json(200, WHOLE))
    first = client.responses.create(model=MODEL, input="Weather?", store=True)
    second = client.responses.create(model=GPT, input="And?", previous_response_id=first.id)
    sent = upstream.calls[-1].json
    assert ([item["type"] for item in sent["input"]], "previous_response_id" in sent) == (["message"] * 3, False)
    assert second.previous_response_id == first.id
    upstream.answers(Reply.json(200, {**WHOLE, "output": OUTPUT[3:4]}))
    assert client.responses.retrieve(second.id).id == second.id
    assert upstream.calls[-1].path.endswith("/responses/resp_01"), "the provider stores its own"


def test_a_team_shares_what_is_stored_and_nobody_else_sees_it(keeping: Desk, upstream: FakeUpstream) -> None:
    team = keeping.admin("/team/new", team_alias="share-stored")["team_id"]
    one, other, stranger = sdk(keeping, team_id=team), sdk(keeping, team_id=team), sdk(keeping, log_content=True)
    upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=False))
    kept = one.responses.create(model=MODEL, input="Hi", store=True)
    assert other.responses.retrieve(kept.id).id == kept.id
    for call in (
        stranger.responses.retrieve,
        stranger.responses.delete,
        stranger.responses.cancel,
        stranger.responses.input_items.list,
    ):
        with pytest.raises(openai.NotFoundError):
            call(kept.id)
    with pytest.raises(openai.NotFoundError):
        stranger.responses.create(model=MODEL, input="Hi", previous_response_id=kept.id)
    assert one.responses.retrieve(kept.id).id == kept.id


@pytest.mark.parametrize(
    ("key_wants", "store", "stored"),
    [
        (True, None, True),
        (True, True, True),
        (True, False, False),
        (False, None, False),
        (False, True, True),
        (False, False, False),
    ],
)
@pytest.mark.parametrize("allowed", [True, False])
def test_who_wants_it_stored(
    keeping: Desk, desk: Desk, upstream: FakeUpstream, key_wants: bool, store: bool | None, stored: bool, allowed: bool
) -> None:
    """The deployer allows it for all; then whoever issued the key, or who asks. The response says what came of it."""
    client = sdk(keeping if allowed else desk, log_content=key_wants)
    upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=False))
    told = client.responses.create(model=MODEL, input="Hi", **({} if store is None else {"store": store}))
    assert told.store is (stored and allowed)
    upstream.answers(chat_reply({"content": "Yes."}, "stop", stream=False))
    if stored and allowed:
        client.responses.create(model=MODEL, input="And?", previous_response_id=told.id)
        return
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input="And?", previous_response_id=told.id)
    assert raised.value.code == "response_not_stored"


@pytest.mark.parametrize("stream", [False, True])
def test_what_can_not_be_stored_is_answered_and_says_so(keeping: Desk, upstream: FakeUpstream, stream: bool) -> None:
    client = sdk(keeping, log_content=True)
    upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=stream))
    told = ask(client, stream=stream, model=MODEL, input="a" * MAX_BYTES)
    assert (told.output_text, told.store) == ("Rain.", False)
    assert only_record(keeping, client.api_key).status == "ok"


def test_pages_have_bounds(keeping: Desk, upstream: FakeUpstream) -> None:
    key = keeping.key(log_content=True)
    upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=False))
    path = f"/responses/{keeping.ask('POST', '/responses', {'model': MODEL, 'input': 'Hi'}, key=key).json()['id']}/input_items"
    limits = ("0", "101", "x", "²", "9" * 5_000, "0" * 5_000 + "1")
    for query, status in (*((f"limit={limit}", 400) for limit in limits), ("after=msg_none", 404), ("limit=100", 200)):
        assert keeping.ask("GET", f"{path}?{query}", key=key).status_code == status
