"""Candidates as choices. What a candidate says is read once, for whole answers and for streams, so that they are the same.

https://ai.google.dev/api/generate-content#candidate
"""

import json
from collections.abc import Mapping
from typing import Any

from haimaker.adapters.gemini import grounding, own_tools, signatures
from haimaker.adapters.gemini.partial_calls import PartialCall
from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.media.base64_data import join_base64
from haimaker.operations.attempt import Attempt

FINISH_REASON: Mapping[str, str] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "OTHER": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "IMAGE_OTHER": "content_filter",
}
"""https://ai.google.dev/api/generate-content#FinishReason; any other is `stop`."""
FAILED = frozenset(
    {"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE", "TOO_MANY_TOOL_CALLS", "UNEXPECTED_TOOL_CALL"}
)
"""With these there is no answer, or only the beginning of one."""
EMPTY = frozenset({"NO_IMAGE"})
"""With these an answer that holds nothing has failed."""
NUMBERED = ("", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
"""The same where they come as numbers, as far as both of Google's surfaces agree."""
SHOWN: Mapping[str, str] = {
    "groundingMetadata": "grounding_metadata",
    "urlContextMetadata": "url_context_metadata",
    "citationMetadata": "citation_metadata",
}
"""What is passed on as it is, in `extra_content.google`; a display of search results may need it."""


@dataclass(slots=True)
class Choice:
    """One candidate, as far as it has come."""

    index: int
    attempt: Attempt
    reason: str | None = None
    words: str = ""
    """What Google says of how it ended."""
    text: str = ""
    calls: int = 0
    images: int = 0
    speaks: bool = False
    signature: str | None = None
    partial: PartialCall | None = None
    google: JSON = field(default_factory=dict)
    own_parts: list[JSON] = field(default_factory=list)

    def read(self, candidate: JSON) -> JSON:
        """What it adds to the message."""
        delta: JSON = {}
        for part in as_objects(as_object(candidate.get("content")).get("parts")):
            self._read_part(part, delta)
        if reason := candidate.get("finishReason"):
            numbered = type(reason) is int and 0 < reason < len(NUMBERED)
            self.reason = NUMBERED[reason] if numbered else as_text(reason)
            self.words = as_text(candidate.get("finishMessage"))
        for name in SHOWN:
            if isinstance(candidate.get(name), dict):
                self.google[name] = {**self.google.get(name, {}), **candidate[name]}
        return delta

    @property
    def has_failed(self) -> bool:
        return self.reason in FAILED or (self.reason in EMPTY and not (self.text or self.calls or self.images or self.speaks))

    def end(self) -> JSON:
        """What belongs to the message as a whole, when all of it has come."""
        delta: JSON = {}
        self._end_partial(delta)
        if found := grounding.to_annotations(self.google.get("groundingMetadata", {}), self.text):
            delta["annotations"] = found
        google = {SHOWN[name]: value for name, value in self.google.items()}
        if self.own_parts:
            google[own_tools.FIELD] = self.own_parts
        if self.signature:
            google["thought_signature"] = self.signature
        if google:
            delta["extra_content"] = {"google": google}
        return delta

    def to_message(self, candidate: JSON) -> JSON:
        """The whole message, from the whole candidate."""
        delta, end = self.read(candidate), self.end()
        calls = [*delta.get("tool_calls", ()), *end.get("tool_calls", ())]
        for call in calls:
            del call["index"]
        return {"role": "assistant", "content": None, **delta, **end, **({"tool_calls": calls} if calls else {})}

    def finish_reason(self) -> str:
        found = FINISH_REASON.get(self.reason or "", "stop")
        return "tool_calls" if found == "stop" and self.calls else found

    def _read_part(self, part: JSON, delta: JSON) -> None:
        text, signature = as_text(part.get("text")), as_text(part.get("thoughtSignature")) or None
        if own_tools.is_own(part):
            self.own_parts.append(part)
        elif isinstance(part.get("functionCall"), dict):
            self._read_call(part["functionCall"], signature, delta)
        elif part.get("thought") is True:
            if text:
                delta["reasoning_content"] = delta.get("reasoning_content", "") + text
        elif isinstance(part.get("inlineData"), dict):
            self._read_data(part["inlineData"], signature, delta)
        elif "text" in part:
            self.signature = signature or self.signature
            self.text += text
            if text:
                delta["content"] = delta.get("content", "") + text

    def _read_call(self, call: JSON, signature: str | None, delta: JSON) -> None:
        if call.get("name"):
            self._end_partial(delta)
            if not call.get("willContinue") and "partialArgs" not in call:
                self._add_call(call, signature, delta)
                return
            self.partial = PartialCall(call, signature)
        if self.partial:
            self.partial.add(call.get("partialArgs"))
            self.partial.signature = self.partial.signature or signature
            if not call.get("willContinue"):
                self._end_partial(delta)

    def _end_partial(self, delta: JSON) -> None:
        if self.partial:
            self._add_call(self.partial.whole(), self.partial.signature, delta)
            self.partial = None

    def _add_call(self, call: JSON, signature: str | None, delta: JSON) -> None:
        arguments = call.get("args")
        call_id = as_text(call.get("id")) or f"call_{self.attempt.request_id}_{self.index}_{self.calls}"
        delta.setdefault("tool_calls", []).append(
            {
                "index": self.calls,
                "id": signatures.to_call_id(call_id, signature),
                "type": "function",
                "function": {
                    "name": str(call["name"]),
                    "arguments": json.dumps(arguments if isinstance(arguments, dict) else {}, ensure_ascii=False),
                },
                **signatures.to_extra_content(signature),
            }
        )
        self.calls += 1

    def _read_data(self, blob: JSON, signature: str | None, delta: JSON) -> None:
        kind, data = as_text(blob.get("mimeType")), as_text(blob.get("data"))
        if kind.startswith("audio/"):
            made = delta.setdefault("audio", {} if self.speaks else self._new_audio())
            made["data"] = join_base64((made.get("data", ""), data))
            self.speaks = True
        elif data:
            image = {"index": self.images, "type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
            delta.setdefault("images", []).append({**image, **signatures.to_extra_content(signature)})
            self.images += 1

    def _new_audio(self) -> JSON:
        created_s = self.attempt.created_s
        return {"id": f"audio_{self.attempt.request_id}_{self.index}", "expires_at": created_s, "transcript": ""}


def to_logprobs(result: Any) -> JSON | None:
    """https://ai.google.dev/api/generate-content#LogprobsResult"""
    found = as_object(result)
    chosen = as_objects(found.get("chosenCandidates"))
    top = as_objects(found.get("topCandidates"))
    content = []
    for index, token in enumerate(chosen):
        others = as_objects(top[index].get("candidates")) if index < len(top) else []
        content.append({**_logprob(token), "top_logprobs": [_logprob(other) for other in others]})
    return {"content": content, "refusal": None} if content else None


def _logprob(token: JSON) -> JSON:
    text, value = as_text(token.get("token")), token.get("logProbability")
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    return {"token": text, "logprob": number, "bytes": list(text.encode("utf-8", "surrogatepass"))}
