"""Repairs of a conversation that a vendor refuses as it is. Each is a function over values, with its reason. Pure.

A client carries a conversation from one model to another, cuts it, or stops a tool: what one vendor takes, the next refuses.
`repair_messages` makes those repairs of `REPAIRS` that a wire format needs, by the table `NEEDED`. Repairs of one value are called
where the value is translated: `arguments_object` and `is_harmless_object` for formats that take objects only, `plain_id` for all
but the vendor whose thinking a call's id carries. What depends on a vendor's blocks stands with them: the merging and order of
turns, ids and names in the vendor's alphabet (`anthropic/messages.py` and `names.py`, `bedrock/messages.py` and `tool_ids.py`,
`gemini/contents.py` and `signatures.py`, `mistral/chat.py`).
"""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from haimaker.http import json as strict_json
from haimaker.http.values import JSON
from haimaker.operations.attempt import Attempt

DEEPEST = 200
"""Brackets in arguments; what nests deeper is kept as a text."""
ACKNOWLEDGED = "OK."
NO_RESULT = "No result."
CARRIED = re.compile(r"__(?:thought|thinking)__.+", re.DOTALL)
REFERENCES = frozenset({"$ref", "$defs"})


def plain_id(identifier: str) -> str:
    """A call's id without what another format let a client carry behind it, which may be all of a model's thinking."""
    return CARRIED.sub("", identifier)


def cache_mark(holder: Mapping[str, Any]) -> JSON | None:
    """A mark for the cache in Anthropic's terms: its own, or OpenAI's `prompt_cache_breakpoint`, whose times begin at half an hour,
    so that one with a time is kept for the hour that Anthropic has.

    https://platform.openai.com/docs/guides/prompt-caching, https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    """
    own, breakpoint_ = holder.get("cache_control"), holder.get("prompt_cache_breakpoint")
    if isinstance(own, dict) or not isinstance(breakpoint_, dict):
        return own if isinstance(own, dict) else None
    return {"type": "ephemeral", **({"ttl": "1h"} if breakpoint_.get("ttl") else {})}


def arguments_object(arguments: Any) -> JSON:
    """Arguments of a call in the history as an object. What a model wrote that is none is kept under a name: a call that was cut
    off, or that another model made, must not end the conversation at a provider that takes only objects."""
    if not arguments or (isinstance(arguments, str) and arguments.strip() in ("", "null")):
        return {}
    value = arguments
    if isinstance(arguments, str) and arguments.count("{") + arguments.count("[") <= DEEPEST:
        try:
            value = strict_json.loads(arguments)
        except ValueError:
            value = arguments
    return value if isinstance(value, dict) else {"arguments": value}


def is_harmless_object(value: Any) -> bool:
    """Whether nothing in a tool's result would be taken for a reference to another part of the request, as Gemini 3 takes `$ref`:
    https://ai.google.dev/gemini-api/docs/function-calling#multimodal"""
    if isinstance(value, dict):
        return REFERENCES.isdisjoint(value) and all(map(is_harmless_object, value.values()))
    return not isinstance(value, list) or all(map(is_harmless_object, value))


def with_results(messages: Sequence[JSON]) -> Sequence[JSON]:
    """The messages with one result for each call, right behind the turn that made it.

    A call without one gets a result that says so, a second result is left out, and a result of no call is what the user says. Every
    vendor refuses such conversations: https://platform.openai.com/docs/guides/function-calling,
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls. The same object where nothing is wrong.
    """
    if _are_answered(messages):
        return messages
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for position, message in enumerate(messages):
        if (answered := _answers(message)) is not None:
            waiting[answered].append(position)
    called: set[str] = set()
    made: list[JSON] = []
    for position, message in enumerate(messages):
        answered = _answers(message)
        if answered is None:
            message = _without_repeated_calls(message)
            made += [message, *_results(message, position, waiting, messages)]
            called.update(map(plain_id, _calls_of(message)))
        elif answered not in called:
            made.append({"role": "user", "content": message.get("content") or ""})
    return made


def _results(message: JSON, position: int, waiting: Mapping[str, deque[int]], messages: Sequence[JSON]) -> list[JSON]:
    """The results of a turn's calls, in the order in which they came; for those that are missing one each, last."""
    came: list[int] = []
    missing: list[JSON] = []
    for identifier in _calls_of(message):
        later = waiting[plain_id(identifier)]
        while later and later[0] < position:
            later.popleft()
        if later:
            came.append(later.popleft())
        else:
            missing.append({"role": "tool", "tool_call_id": identifier, "content": NO_RESULT})
    results = [messages[at] for at in sorted(came)]
    return [{**result, "content": ""} if result.get("content") is None else result for result in results] + missing


def _answers(message: JSON) -> str | None:
    """The id of the call whose result a message is; None of any other, also of one that does not say whose result it is."""
    identifier = message.get("tool_call_id") if message.get("role") == "tool" else None
    return plain_id(identifier) if isinstance(identifier, str) else None


def _are_answered(messages: Sequence[JSON]) -> bool:
    """Whether each call has its one result behind it, and each result a call before it."""
    waiting: list[str] = []
    for message in messages:
        answered = _answers(message)
        if answered is not None:
            if answered not in waiting or message.get("content") is None:
                return False
            waiting.remove(answered)
        elif waiting:
            return False
        else:
            waiting = [plain_id(identifier) for identifier in _calls_of(message)]
            if len(set(waiting)) != len(waiting):
                return False
    return not waiting


def _calls_of(message: JSON) -> Iterator[str]:
    """The ids of an assistant's calls, those that are ids."""
    calls = message.get("tool_calls") if message.get("role") == "assistant" else None
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict) and isinstance(call.get("id"), str):
            yield call["id"]


def _without_repeated_calls(message: JSON) -> JSON:
    identifiers = list(_calls_of(message))
    if len(set(map(plain_id, identifiers))) == len(identifiers):
        return message
    first = {plain_id(call["id"]): call for call in reversed(message["tool_calls"]) if isinstance(call, dict) and "id" in call}
    return {**message, "tool_calls": list(reversed(first.values()))}


def with_refusals_as_text(messages: Sequence[JSON]) -> Sequence[JSON]:
    """The messages with refusals, a kind of part that only OpenAI has, as text."""
    return [_with_refusal_as_text(message) for message in messages]


def _with_refusal_as_text(message: JSON) -> JSON:
    content = message.get("content")
    if not isinstance(content, list) or not any(isinstance(part, dict) and part.get("type") == "refusal" for part in content):
        return message
    return {
        **message,
        "content": [
            {"type": "text", "text": part.get("refusal")} if isinstance(part, dict) and part.get("type") == "refusal" else part
            for part in content
        ],
    }


def with_late_system_from_user(messages: Sequence[JSON]) -> Sequence[JSON]:
    """The messages with what the system says behind an answer or a result, or last, as the user's words. Mistral takes no system
    there: https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py"""
    made: list[JSON] = []
    for position, message in enumerate(messages):
        late = position + 1 == len(messages) or bool(made and made[-1].get("role") in ("assistant", "tool"))
        is_system = message.get("role") in ("system", "developer")
        made.append({**message, "role": "user"} if is_system and late else message)
    return made


def without_empty_answers(messages: Sequence[JSON]) -> Sequence[JSON]:
    """The messages without empty turns of the assistant's, which Mistral refuses:
    https://docs.mistral.ai/capabilities/completion"""
    return [
        message for message in messages if message.get("role") != "assistant" or message.get("content") or message.get("tool_calls")
    ]


def with_answered_results(messages: Sequence[JSON]) -> Sequence[JSON]:
    """The messages with a turn of the assistant's between a tool's result and what the user says next, which Mistral wants there:
    https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py"""
    made: list[JSON] = []
    for message in messages:
        if made and made[-1].get("role") == "tool" and message.get("role") == "user":
            made.append({"role": "assistant", "content": ACKNOWLEDGED})
        made.append(message)
    return made


def with_prefix(messages: Sequence[JSON]) -> Sequence[JSON]:
    """The messages with a last turn of the assistant's marked as a prefix of the answer; Mistral takes it as nothing else:
    https://docs.mistral.ai/capabilities/completion/prefix"""
    if not messages:
        return messages
    *others, last = messages
    if last.get("role") != "assistant" or last.get("tool_calls") or "prefix" in last:
        return messages
    return [*others, {**last, "prefix": True}]


Repair = Callable[[Sequence[JSON]], Sequence[JSON]]
REPAIRS: Mapping[str, Repair] = {
    "empty answers": without_empty_answers,
    "refusals": with_refusals_as_text,
    "results": with_results,
    "late system": with_late_system_from_user,
    "user after a result": with_answered_results,
    "last answer": with_prefix,
}
"""All repairs, in the order in which they are made."""
NEEDED: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("results",),
    "anthropic_bedrock": ("results",),
    "anthropic_vertex": ("results",),
    "bedrock": ("results",),
    "cohere": ("results",),
    "gemini": ("results",),
    "gemini_vertex": ("results",),
    "mistral": tuple(REPAIRS),
    "openai": ("refusals", "results"),
    "responses": ("results",),
}
"""By wire format. The translated ones read a refusal, and see to the turns, while they make the vendor's blocks."""


def repair_messages(messages: Sequence[JSON], attempt: Attempt) -> Sequence[JSON]:
    """A conversation as the format of an attempt's provider takes it."""
    provider = attempt.provider
    for name, repair in REPAIRS.items():
        if name in NEEDED[provider.adapter] and name not in provider.dialect.messages.takes_unmended:
            messages = repair(messages)
    return messages
