"""What holds for a stream as a whole: each thing is told once, each choice ends, and usage comes somewhere. Pure.

The official SDK joins whatever chunks repeat, a role too, and wants a position for each item of a list:
https://github.com/openai/openai-python/blob/main/src/openai/lib/streaming/_deltas.py
"""

from collections.abc import Iterable, Iterator
from typing import Any

from haimaker.adapters.openai.messages import DETAILS
from haimaker.adapters.openai.numbering import Numbering
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

GROWING = frozenset({"text", "summary", "data", "signature", "type", "index"})
"""Fields of a detail of reasoning that come in pieces, and those that the SDK does not join:
https://openrouter.ai/docs/use-cases/reasoning-tokens#reasoning_details-api-shape"""


@dataclass(slots=True)
class Continuity:
    """One stream so far."""

    numbering: Numbering
    holder: str
    finished: set[int] = field(default_factory=set)
    _head: JSON = field(default_factory=dict)
    _begun: dict[int, bool] = field(default_factory=dict)
    """By choice, whether it called tools."""
    _listed: dict[tuple[int, str], int] = field(default_factory=dict)
    """How many items of a list a choice has told."""
    _details: dict[int, dict[tuple[object, str], tuple[int, set[str]]]] = field(default_factory=dict)
    """By choice: of each detail of reasoning its position, and the fields that were told."""
    _usage: JSON | None = None
    """Told in a place of the provider's own, until it is told in the usual one."""
    _counted: bool = False

    def drop_repeated(self, body: JSON) -> JSON:
        """A chunk without what was told before; the same object if that is nothing."""
        self._head = self._head or {name: value for name, value in body.items() if name not in ("choices", "usage")}
        self._counted = self._counted or bool(body.get("usage"))
        self._usage = _aside(body) or self._usage
        choices = body["choices"]
        made = [self._choice(choice) for choice in choices]
        return {**body, "choices": made} if any(new is not old for new, old in zip(made, choices, strict=True)) else body

    def chunks_of(self, held: Iterable[JSON]) -> Iterator[JSON]:
        """Choices that were held back, as chunks."""
        yield from ({**self._head, "choices": [choice]} for choice in held)

    def rest(self, held: Iterable[JSON]) -> Iterator[JSON]:
        """Choices that were held back, the ends that lack when the stream has ended well, and the usage that was told elsewhere."""
        yield from self.chunks_of(held)
        open_ends = [index for index in self._begun if index not in self.finished]
        if open_ends:
            nothing: Any = "" if self.holder == "text" else {}
            ends = [("tool_calls" if self._begun[index] else "stop", index) for index in open_ends]
            choices = [{"index": at, self.holder: nothing, "logprobs": None, "finish_reason": reason} for reason, at in ends]
            yield {**self._head, "choices": choices}
        if self._usage and not self._counted:
            yield {**self._head, "choices": [], "usage": self._usage}

    def _choice(self, choice: JSON) -> JSON:
        index, delta = choice["index"], choice.get(self.holder)
        begins = index not in self._begun
        calls = isinstance(delta, dict) and bool(delta.get("tool_calls"))
        self._begun[index] = self._begun.get(index, False) or calls
        if choice.get("finish_reason"):
            self.finished.add(index)
        if not isinstance(delta, dict):
            return choice
        made = self._number_items(self.numbering.number_calls(_with_role(delta, begins), index), index)
        made = self._number_details(made, index)
        return choice if made is delta else {**choice, self.holder: made}

    def _number_details(self, delta: JSON, choice: int) -> JSON:
        """The delta with a position of its own for each detail of reasoning, and with what names it told once. OpenRouter gives a
        text and what is encrypted one position, and repeats the format in each piece, which the SDK would join; nobody could read
        them again."""
        details = delta.get(DETAILS)
        if not isinstance(details, list):
            return delta
        made = [self._detail(detail, choice) if isinstance(detail, dict) else detail for detail in details]
        return {**delta, DETAILS: made} if any(new is not old for new, old in zip(made, details, strict=True)) else delta

    def _detail(self, detail: JSON, choice: int) -> JSON:
        kind = detail.get("type")
        own = f"{kind} {detail.get('id')}" if kind == "reasoning.encrypted" else str(kind)
        known = self._details.setdefault(choice, {})
        place, sent = known.setdefault((str(detail.get("index")), own), (len(known), set()))
        repeated = [name for name in sent & set(detail) if isinstance(detail[name], str)]
        sent.update(name for name, value in detail.items() if name not in GROWING and value is not None)
        if not repeated and detail.get("index") == place:
            return detail
        return {**{name: value for name, value in detail.items() if name not in repeated}, "index": place}

    def _number_items(self, delta: JSON, choice: int) -> JSON:
        """The delta with a position for each item of any other list, such as citations and images."""
        made: JSON = {}
        for name, items in delta.items():
            if name == "tool_calls" or not isinstance(items, list) or all(_has_place(item) for item in items):
                continue
            start = self._listed.get((choice, name), 0)
            made[name] = [{"index": start + place, **item} if isinstance(item, dict) else item for place, item in enumerate(items)]
            self._listed[choice, name] = start + len(items)
        return {**delta, **made} if made else delta


def _with_role(delta: JSON, begins: bool) -> JSON:
    role = delta.get("role")
    if begins:
        return delta if role == "assistant" else {**delta, "role": "assistant"}
    return {name: value for name, value in delta.items() if name != "role"} if role is not None else delta


def _has_place(item: Any) -> bool:
    return not isinstance(item, dict) or type(item.get("index")) is int


def _aside(body: JSON) -> JSON | None:
    """Usage in a choice (https://platform.moonshot.ai/docs/api/chat) or in Groq's own part."""
    own = body.get("x_groq")
    found = [own.get("usage") if isinstance(own, dict) else None, *(choice.get("usage") for choice in body["choices"])]
    return next((used for used in found if isinstance(used, dict) and used), None)
