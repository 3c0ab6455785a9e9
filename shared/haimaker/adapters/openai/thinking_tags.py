"""Reasoning that a model writes into its text between tags, where nobody has parted the two. Pure.

https://docs.vllm.ai/en/latest/features/reasoning_outputs/, https://docs.perplexity.ai/getting-started/models/models/sonar-reasoning-pro,
https://console.groq.com/docs/reasoning. Only what stands at the beginning of a text is reasoning, and only of the models here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.attempt import Attempt

TAGS: Mapping[str, str] = {"<think>": "</think>", "<thinking>": "</thinking>", "[THINK]": "[/THINK]"}
CLOSING = "</think>"


@dataclass(slots=True)
class ThinkTagParser:
    """The text of one choice as it comes, and what of it is reasoning."""

    begins_inside: bool = False
    done: bool = False
    """Whether all that follows is text."""
    _closing: str | None = None
    """The tag that ends the reasoning, once that has begun."""
    _held: str = ""
    """What may be a part of a tag."""
    _unopened: str | None = None
    """All reasoning so far that had no opening tag: if none closes it either, it was the answer."""

    def read(self, text: str) -> tuple[str, str]:
        """Reasoning and text that are certain now."""
        text, self._held = self._held + text, ""
        if self._closing is None:
            return self._begin(text)
        if not self._closing:
            return "", self._after(text)
        reasoning, found, rest = text.partition(self._closing)
        if not found:
            held = _beginning_at_end(text, self._closing)
            self._held = text[len(text) - held :]
            reasoning = text[: len(text) - held]
            self._unopened = None if self._unopened is None else self._unopened + reasoning
            return reasoning, ""
        self._closing, self._unopened = "", None
        return reasoning, self._after(rest)

    def rest(self, *, cut: bool = False) -> tuple[str, str]:
        """What was held back when the text ends; where no tag showed that it was reasoning, all of it as the text that it was,
        unless it was cut."""
        held, unopened, self._held, self._unopened, self.done = self._held, self._unopened, "", None, True
        if self._closing:
            return held, "" if unopened is None or cut else unopened + held
        return "", held

    def _begin(self, text: str) -> tuple[str, str]:
        start = text.lstrip()
        opened = next((tag for tag in TAGS if start.startswith(tag)), None)
        if opened:
            self._closing = TAGS[opened]
            return self.read(start.removeprefix(opened))
        if any(tag.startswith(start) for tag in TAGS):
            self._held = text
            return "", ""
        if self.begins_inside:
            self._closing, self._unopened = CLOSING, ""
            return self.read(text)
        self.done = True
        return "", text

    def _after(self, text: str) -> str:
        """Text without the blank lines that follow the tag."""
        text = text.lstrip()
        self.done = bool(text)
        return text


@dataclass(slots=True)
class ThinkingTags:
    """Takes thinking out of the text of one answer."""

    begin_inside: bool
    _choices: dict[int, ThinkTagParser] = field(default_factory=dict)

    def whole(self, body: JSON) -> JSON:
        return {**body, "choices": [self._whole(choice) for choice in body["choices"]]}

    def part(self, body: JSON) -> JSON:
        """A chunk; the same object where it has nothing of the kind."""
        choices = body["choices"]
        made = [self._piece(choice) for choice in choices]
        return {**body, "choices": made} if any(new is not old for new, old in zip(made, choices, strict=True)) else body

    def rest(self, *, cut: bool = False) -> Iterator[JSON]:
        """Choices that tell what was held back in a stream that did not end them."""
        for index, parser in self._choices.items():
            if not parser.done and (delta := _to_fields(*parser.rest(cut=cut))):
                yield {"index": index, "delta": delta, "finish_reason": None}

    def _whole(self, choice: JSON) -> JSON:
        message = choice["message"]
        content = message.get("content")
        if not isinstance(content, str) or message.get("reasoning_content"):
            return choice
        parser = ThinkTagParser(self.begin_inside)
        reasoning, text = (first + last for first, last in zip(parser.read(content), parser.rest(), strict=True))
        if not reasoning or text == content:
            return choice
        return {**choice, "message": {**message, "content": text, "reasoning_content": reasoning}}

    def _piece(self, choice: JSON) -> JSON:
        parser = self._choices.setdefault(choice["index"], ThinkTagParser(self.begin_inside))
        delta: Any = choice["delta"]
        if parser.done:
            return choice
        content = delta.get("content")
        reasoning, text = parser.read(content) if isinstance(content, str) and content else ("", "")
        if delta.get("reasoning_content") or delta.get("tool_calls") or choice.get("finish_reason"):
            last_reasoning, last_text = parser.rest()
            reasoning, text = reasoning + last_reasoning, text + last_text
        if not reasoning and text == (content or ""):
            return choice
        fields = {"content": text, **({"reasoning_content": reasoning} if reasoning else {})}
        return {**choice, "delta": {**delta, **fields}}


def tags_of(attempt: Attempt, body: JSON) -> ThinkingTags | None:
    """None for a model that does not write them, and for a client that wants them in the text:
    https://console.groq.com/docs/reasoning#reasoning-format"""
    tags = attempt.traits.thinking_tags
    return ThinkingTags(tags == "closing") if tags and body.get("reasoning_format") != "raw" else None


def _to_fields(reasoning: str, text: str) -> JSON:
    return {name: said for name, said in (("content", text), ("reasoning_content", reasoning)) if said}


def _beginning_at_end(text: str, tag: str) -> int:
    """How many letters at the end of a text may be the first of a tag."""
    return next((size for size in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:size])), 0)
