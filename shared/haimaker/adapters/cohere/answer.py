"""Cohere's answers, whole or as events, in OpenAI's format. One account of both, so that a stream folds into the whole.

https://docs.cohere.com/reference/chat, https://docs.cohere.com/docs/streaming
"""

from typing import Any

from haimaker.http import errors
from haimaker.http.json import as_object
from haimaker.http.values import JSON, ErrorFields
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.catalog import ModelInfo
from haimaker.models.rates import UNITS_PER_USD, USD_DECIMALS
from haimaker.pricing import costs, usage
from haimaker.pricing.usage import MAX_COUNT, Usage

FINISH_REASON = {
    "COMPLETE": "stop",
    "ERROR_LIMIT": "length",
    "ERROR_TOXIC": "content_filter",
    "MAX_TOKENS": "length",
    "STOP_SEQUENCE": "stop",
    "TOOL_CALL": "tool_calls",
    "USER_CANCEL": "stop",
}
FAILED = {"ERROR": 502, "TIMEOUT": 504}
"""Reasons that are no end of an answer, and the status that they would have had."""
NO_ARGUMENTS = ("", "null")


@dataclass(slots=True)
class Answer:
    """What has been said so far. Its methods take what comes next and return the deltas that tell it."""

    text: str = ""
    reasoning: str = ""
    tool_plan: str = ""
    tool_calls: list[JSON] = field(default_factory=list)
    annotations: list[JSON] = field(default_factory=list)
    logprobs: list[JSON] = field(default_factory=list)
    held: dict[int, str] = field(default_factory=dict)
    """Arguments that may still turn out to be none, by call."""

    def add_content(self, part: Any) -> list[JSON]:
        """A part of the content, or a piece of one."""
        if not isinstance(part, dict):
            return []
        text, thought = part.get("text"), part.get("thinking")
        if isinstance(thought, str) and thought:
            self.reasoning += thought
            return [{"reasoning_content": thought}]
        if isinstance(text, str) and text:
            self.text += text
            return [{"content": text}]
        return []

    def add_plan(self, piece: Any) -> list[JSON]:
        """The plan before a call of tools, which is reasoning; kept under its own name too, to be sent back as such."""
        if not isinstance(piece, str) or not piece:
            return []
        self.reasoning += piece
        self.tool_plan += piece
        return [{"reasoning_content": piece, "tool_plan": piece}]

    def start_call(self, call: Any) -> list[JSON]:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            return []
        place, given, name = len(self.tool_calls), call.get("id"), function.get("name")
        called = {"name": name if isinstance(name, str) else "", "arguments": ""}
        made = {"id": given if isinstance(given, str) and given else f"call_{place}", "type": "function", "function": called}
        self.tool_calls.append(made)
        self.held[place] = ""
        return [
            {"tool_calls": [{"index": place, **made, "function": dict(called)}]},
            *self.add_arguments(function.get("arguments")),
        ]

    def add_arguments(self, piece: Any) -> list[JSON]:
        """A piece of the last call's arguments; held back while it may be `null`, which a call without arguments has."""
        place = len(self.tool_calls) - 1
        if not isinstance(piece, str) or place < 0:
            return []
        if place in self.held:
            self.held[place] += piece
            if "null".startswith(self.held[place].strip()):
                return []
            piece = self.held.pop(place)
        return self._append_arguments(place, piece)

    def end_calls(self) -> list[JSON]:
        """All calls are complete; those without arguments get an empty object."""
        held, self.held = self.held, {}
        pieces = {place: "{}" if text.strip() in NO_ARGUMENTS else text for place, text in held.items()}
        return [delta for place, piece in pieces.items() for delta in self._append_arguments(place, piece)]

    def add_citation(self, citation: Any) -> list[JSON]:
        if not isinstance(citation, dict):
            return []
        self.annotations.append(_annotation(citation))
        return [{"annotations": [{"index": len(self.annotations) - 1, **self.annotations[-1]}]}]

    def add_logprobs(self, item: Any) -> JSON | None:
        """Log probabilities of a piece of text, whose tokens Cohere does not part: https://docs.cohere.com/reference/chat"""
        if not isinstance(item, dict) or not isinstance(item.get("logprobs"), list):
            return None
        text, values = item.get("text"), [value for value in item["logprobs"] if isinstance(value, int | float)]
        token = text if isinstance(text, str) else ""
        entry: JSON = {"token": token, "logprob": sum(values), "top_logprobs": []}
        entry["bytes"] = list(token.encode("utf-8", "surrogatepass"))
        self.logprobs.append(entry)
        return {"content": [entry]}

    def failure(self, reason: Any, said: Any, usage: JSON | None) -> errors.APIError | None:
        """The error of a generation that failed."""
        if not isinstance(reason, str) or reason not in FAILED:
            return None
        message = said if isinstance(said, str) and said else "The provider failed to complete the answer."
        failed = errors.from_upstream(FAILED[reason], ErrorFields(message, "provider_error"), {})
        failed.usage = usage
        return failed

    @property
    def has_spoken(self) -> bool:
        return bool(self.text or self.reasoning or self.tool_calls)

    def finish(self, reason: Any) -> str:
        kind = reason if isinstance(reason, str) else ""
        finish = FINISH_REASON.get(kind, "stop")
        if finish in ("length", "content_filter"):
            return finish
        return "tool_calls" if self.tool_calls else "stop"

    def message(self) -> JSON:
        message: JSON = {"role": "assistant", "content": self.text if self.text or not self.tool_calls else None}
        named = {"reasoning_content": self.reasoning, "tool_plan": self.tool_plan, "tool_calls": self.tool_calls}
        return {**message, **{name: found for name, found in {**named, "annotations": self.annotations}.items() if found}}

    def _append_arguments(self, place: int, piece: str) -> list[JSON]:
        self.tool_calls[place]["function"]["arguments"] += piece
        return [{"tool_calls": [{"index": place, "function": {"arguments": piece}}]}] if piece else []


def to_usage(said: Any, model_info: ModelInfo) -> JSON | None:
    """OpenAI's usage object: the tokens that the model read and wrote, and as cost what is invoiced, which is less.

    Cohere invoices `billed_units`, without its own prompt (https://docs.cohere.com/docs/how-does-cohere-pricing-work).
    """
    if not isinstance(said, dict) or not said:
        return None
    billed, real = as_object(said.get("billed_units")), as_object(said.get("tokens"))
    if any(each and not usage.is_plausible(each) for each in (billed, real)):
        return None
    prompt = _count(real, "input_tokens") or _count(billed, "input_tokens")
    cached = min(_count(said, "cached_tokens"), prompt)
    tokens = Usage(input=prompt - cached, cached=cached, output=_count(real, "output_tokens") or _count(billed, "output_tokens"))
    made = usage.to_openai(tokens)
    if billed:
        invoiced = Usage(input=_count(billed, "input_tokens"), output=_count(billed, "output_tokens"))
        units = costs.price(invoiced, replace(model_info, own_prices=False))
        made["billed_units"] = billed
        made |= {"cost": _usd(units)} if units is not None else {}
    return made


def _usd(units: int) -> str:
    whole, fraction = divmod(units, UNITS_PER_USD)
    return f"{whole}.{fraction:0{USD_DECIMALS}d}".rstrip("0").rstrip(".")


def _annotation(citation: JSON) -> JSON:
    """The place that is cited and its first source; of one without an address its id. All sources stay beside it."""
    found = citation.get("sources")
    sources = [source for source in (found if isinstance(found, list) else ()) if isinstance(source, dict)]
    first = sources[0] if sources else {}
    document = as_object(first.get("document")) or as_object(first.get("tool_output"))
    title, url = document.get("title"), document.get("url", first.get("id"))
    cited = {
        "start_index": _count(citation, "start"),
        "end_index": _count(citation, "end"),
        "title": title if isinstance(title, str) else "",
        "url": url if isinstance(url, str) else "",
    }
    text = {"cited_text": citation["text"]} if isinstance(citation.get("text"), str) else {}
    return {"type": "url_citation", "url_citation": cited, **text, "sources": sources}


def _count(holder: JSON, name: str) -> int:
    """Cohere writes counts as floats."""
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value <= MAX_COUNT else 0
