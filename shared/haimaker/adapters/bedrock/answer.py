"""Converse's answers, whole or as events, in OpenAI's format. One account of both, so that a stream folds into the whole.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
"""

from collections.abc import Iterator
from typing import Any

from haimaker.adapters.bedrock import tool_ids
from haimaker.adapters.bedrock.tools import JSON_TOOL
from haimaker.http.errors import BadGatewayError
from haimaker.http.json import as_list, as_object
from haimaker.http.sse import dumps
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.media.base64_data import join_base64
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.server_tools import guardrail_of
from haimaker.pricing.guardrails import TOKEN_CHARACTERS, cost_microusd
from haimaker.pricing.usage import Usage, is_plausible, to_count, to_openai

STOP_REASON = {
    "content_filtered": "content_filter",
    "end_turn": "stop",
    "guardrail_intervened": "content_filter",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}
"""https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseResponse.html"""
FAILED = frozenset({"malformed_model_output", "malformed_tool_use"})
"""With these there is no answer, or only the beginning of one."""
MAIN_COUNTS = ("inputTokens", "outputTokens")
TRACES = ("enabled", "enabled_full")
SERVICE_TIERS = ("default", "flex", "priority")
"""Those that OpenAI's format knows."""


@dataclass(slots=True)
class Block:
    """One content block while it comes."""

    kind: str = ""
    """`text`, `reasoning`, `tool` or `json`; empty for those that are not shown."""
    start: int = 0
    """Where in the answer's text it begins; for a tool, which call it is."""
    text: str = ""
    signature: str = ""
    redacted: list[str] = field(default_factory=list)
    citations: list[JSON] = field(default_factory=list)


@dataclass(slots=True)
class Answer:
    """What has been said so far. Its methods take what comes next and yield the deltas that tell it."""

    family: str
    text: str = ""
    reasoning: str = ""
    thinking_blocks: list[JSON] = field(default_factory=list)
    tool_calls: list[JSON] = field(default_factory=list)
    annotations: list[JSON] = field(default_factory=list)
    answered_in_json: bool = False
    json: str = ""
    """The answer that came through the tool of ours; what was said beside it is no part of a whole one."""
    _unsent: list[JSON] = field(default_factory=list)
    """Signed reasoning since the last call, which the next one will carry."""

    def start_block(self, start: Any) -> tuple[Block, list[JSON]]:
        """A block begins. Calls of tools that run at the provider are not for the client."""
        use = start.get("toolUse") if isinstance(start, dict) else None
        if not isinstance(use, dict):
            return Block(start=len(self.text)), []
        name, tool_id = use.get("name"), use.get("toolUseId")
        if not isinstance(name, str) or use.get("type") == "server_tool_use":
            return Block("hidden"), []
        if name == JSON_TOOL:
            kind = "hidden" if self.answered_in_json else "json"
            self.answered_in_json = True
            return Block(kind), []
        plain = tool_id if isinstance(tool_id, str) and tool_id else f"call_{len(self.tool_calls)}"
        call: JSON = {
            "id": tool_ids.with_blocks(plain, self.family, self._unsent),
            "type": "function",
            "function": {"name": tool_ids.from_name(name), "arguments": ""},
        }
        self._unsent = []
        self.tool_calls.append(call)
        place = len(self.tool_calls) - 1
        return Block("tool", place), [{"tool_calls": [{"index": place, **call, "function": dict(call["function"])}]}]

    def add_delta(self, block: Block, delta: Any) -> list[JSON]:
        if not isinstance(delta, dict) or block.kind == "hidden":
            return []
        if isinstance(delta.get("text"), str) and block.kind in ("", "text"):
            block.kind = "text"
            return self._add_text(delta["text"])
        if isinstance(delta.get("reasoningContent"), dict) and block.kind in ("", "reasoning"):
            return self._add_thinking(block, delta["reasoningContent"])
        if isinstance(delta.get("toolUse"), dict) and block.kind in ("tool", "json"):
            return self._add_arguments(block, delta["toolUse"].get("input"))
        if isinstance(delta.get("citation"), dict):
            block.citations.append(delta["citation"])
        return []

    def end_block(self, block: Block) -> list[JSON]:
        """A block ends: a call without input gets an empty one, reasoning is complete, citations know what they cover."""
        if block.kind in ("tool", "json"):
            return [] if block.text else self._add_arguments(block, {})
        if block.kind == "reasoning":
            return self._end_thinking(block)
        found = [_annotation(citation, block.start, len(self.text)) for citation in block.citations]
        first = len(self.annotations)
        self.annotations += found
        return [{"annotations": [{"index": first + place, **one} for place, one in enumerate(found)]}] if found else []

    @property
    def has_spoken(self) -> bool:
        return bool(self.text or self.reasoning or self.tool_calls)

    def failure(self, reason: Any, usage: JSON | None) -> BadGatewayError | None:
        """The error of a generation that failed."""
        if not isinstance(reason, str) or reason not in FAILED:
            return None
        return BadGatewayError(f"The model's answer failed. ({reason})", code=reason, usage=usage)

    def finish(self, reason: Any) -> str:
        finish = STOP_REASON.get(reason, "stop") if isinstance(reason, str) else "stop"
        if finish in ("length", "content_filter"):
            return finish
        return "tool_calls" if self.tool_calls else "stop"

    def message(self) -> JSON:
        text = self.json or self.text
        message: JSON = {"role": "assistant", "content": text if text or not self.tool_calls else None}
        for name in ("thinking_blocks", "tool_calls", "annotations"):
            if found := getattr(self, name):
                message[name] = found
        return {**message, "reasoning_content": self.reasoning} if self.reasoning else message

    def _add_text(self, text: str) -> list[JSON]:
        self.text += text
        return [{"content": text}] if text else []

    def _add_thinking(self, block: Block, content: JSON) -> list[JSON]:
        block.kind = "reasoning"
        text, signature, redacted = content.get("text"), content.get("signature"), content.get("redactedContent")
        block.signature += signature if isinstance(signature, str) else ""
        block.redacted += [redacted] if isinstance(redacted, str) else []
        if not isinstance(text, str) or not text:
            return []
        block.text += text
        self.reasoning += text
        return [{"reasoning_content": text}]

    def _end_thinking(self, block: Block) -> list[JSON]:
        shown: list[JSON] = []
        if block.redacted:
            data = join_base64(block.redacted)
            shown.append({"type": "redacted_thinking", "data": data})
            self._unsent.append({"reasoningContent": {"redactedContent": data}})
        if block.signature:
            shown.append({"type": "thinking", "thinking": block.text, "signature": block.signature})
            self._unsent.append({"reasoningContent": {"reasoningText": {"text": block.text, "signature": block.signature}}})
        first = len(self.thinking_blocks)
        self.thinking_blocks += shown
        return [{"thinking_blocks": [{"index": first + place, **one} for place, one in enumerate(shown)]}] if shown else []

    def _add_arguments(self, block: Block, given: Any) -> list[JSON]:
        piece = given if isinstance(given, str) else "" if given is None else dumps(given).decode()
        block.text += piece
        if not piece:
            return []
        if block.kind == "json":
            self.json += piece
            return self._add_text(piece)
        self.tool_calls[block.start]["function"]["arguments"] += piece
        return [{"tool_calls": [{"index": block.start, "function": {"arguments": piece}}]}]


def blocks_of(content: list[Any]) -> Iterator[tuple[JSON, list[JSON]]]:
    """The blocks of a whole answer as the start and the deltas that a stream would have had."""
    for block in content:
        if not isinstance(block, dict):
            continue
        use, reasoning, cited = block.get("toolUse"), block.get("reasoningContent"), block.get("citationsContent")
        if isinstance(use, dict):
            yield {"toolUse": use}, [{"toolUse": {"input": use.get("input")}}]
        elif isinstance(reasoning, dict):
            text = reasoning.get("reasoningText")
            yield {}, [{"reasoningContent": {**(text if isinstance(text, dict) else {}), **reasoning}}]
        elif isinstance(cited, dict):
            texts = [part for part in as_list(cited.get("content")) if isinstance(part, dict)]
            yield {}, [*texts, *({"citation": citation} for citation in as_list(cited.get("citations")))]
        else:
            yield {}, [block]


def to_usage(metadata: JSON, request: ChatRequest, attempt: Attempt) -> JSON | None:
    """OpenAI's usage object of an answer or of its metadata event to a request; None where there is none that can be."""
    usage = metadata.get("usage")
    if not isinstance(usage, dict) or not is_plausible(usage, MAIN_COUNTS):
        return None
    read = to_count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount")
    written = to_count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    details = [detail for detail in as_list(usage.get("cacheDetails")) if isinstance(detail, dict) and detail.get("ttl") == "1h"]
    output = to_count(usage, "outputTokens")
    reasoning = min(
        output, to_count(_inner(metadata, "additionalModelResponseFields", "usage", "output_tokens_details"), "thinking_tokens")
    )
    guarded = _guardrail_microusd(metadata)
    is_guess = guarded is None and bool(guardrail_of(request.body))
    if is_guess:
        guarded = request.estimate_usage(attempt, output * TOKEN_CHARACTERS).guardrail_microusd
    hour = min(written, sum(to_count(detail, "inputTokens") for detail in details))
    made = to_openai(
        Usage(
            input=to_count(usage, "inputTokens"),
            cached=read,
            cache_write_1h=hour,
            cache_write_5m=written - hour,
            reasoning=reasoning,
            output=output - reasoning,
            guardrail_microusd=guarded or 0,
            is_estimated=is_guess,
        )
    )
    tier = "optimized" if _inner(metadata, "performanceConfig").get("latency") == "optimized" else service_tier(metadata)
    return {**made, "service_tier": tier} if tier else made


def _guardrail_microusd(metadata: JSON) -> int | None:
    """What the trace says that guardrails judged; None where it says nothing.
    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_GuardrailTraceAssessment.html"""
    trace = _inner(metadata, "trace", "guardrail")
    assessed = list(_inner(trace, "inputAssessment").values())
    for each in _inner(trace, "outputAssessments").values():
        assessed += as_list(each)
    used = [_inner(each, "invocationMetrics", "usage") for each in assessed if isinstance(each, dict)]
    return sum(map(cost_microusd, used)) if any(used) else None


def is_trace_asked(asked: JSON) -> bool:
    return guardrail_of(asked).get("trace") in TRACES


def extras(metadata: JSON, asked: JSON) -> JSON:
    """What beside the answer may matter to a client: what a guardrail found, if that is asked for, and the tier that served."""
    trace = as_object(metadata.get("trace"))
    if guardrail_of(asked) and not is_trace_asked(asked):
        trace = {name: value for name, value in trace.items() if name != "guardrail"}
    found: JSON = {"trace": trace} if trace else {}
    tier = service_tier(metadata)
    return {**found, "service_tier": tier} if tier in SERVICE_TIERS else found


def service_tier(metadata: JSON) -> str | None:
    tier = metadata.get("serviceTier")
    kind = tier.get("type") if isinstance(tier, dict) else None
    return kind if isinstance(kind, str) else None


def _annotation(citation: JSON, start: int, end: int) -> JSON:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html; of a document the address is its name."""
    location = citation.get("location")
    web = location.get("web") if isinstance(location, dict) else None
    url = web.get("url") if isinstance(web, dict) else citation.get("source")
    title = citation.get("title")
    cited = {"start_index": start, "end_index": end, "title": title if isinstance(title, str) else ""}
    cited["url"] = url if isinstance(url, str) else cited["title"]
    texts = [part.get("text") for part in as_list(citation.get("sourceContent")) if isinstance(part, dict)]
    quoted = {"cited_text": "".join(text for text in texts if isinstance(text, str))} if texts else {}
    return {"type": "url_citation", "url_citation": cited, **quoted}


def _inner(holder: JSON, *names: str) -> JSON:
    for name in names:
        found = holder.get(name)
        holder = found if isinstance(found, dict) else {}
    return holder
