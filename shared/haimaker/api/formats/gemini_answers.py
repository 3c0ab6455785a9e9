"""Answers in the format of Google's Gemini API, made of a chat's: whole, as events, and as errors. Pure.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haimaker.adapters.repairs import arguments_object
from haimaker.api.formats import gemini_thoughts
from haimaker.http.errors import APIError
from haimaker.http.json import as_object
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.pricing import usage

FINISH_REASON: Mapping[str, str] = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}
"""Any other is STOP, a call of a function as well."""
STATUS: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
"""https://ai.google.dev/gemini-api/docs/troubleshooting; any other is INVALID_ARGUMENT or, from 500, INTERNAL."""
DETAIL = "type.googleapis.com/google.rpc."
PCM = "audio/L16;codec=pcm;rate=24000"
"""As Google's models speak, and OpenAI's in `pcm16`. https://ai.google.dev/gemini-api/docs/speech-generation"""


def from_chat(answer: JSON, request_id: str) -> JSON:
    """A whole answer from a whole chat completion."""
    candidates = []
    for choice in sorted(answer.get("choices") or (), key=lambda choice: choice.get("index") or 0):
        candidate = _Candidate(choice.get("index") or 0, choice.get("finish_reason") or "stop")
        parts = candidate.read(choice.get("message") or {})
        candidates.append(candidate.whole(parts, choice.get("logprobs")))
    return {"candidates": candidates, "usageMetadata": to_usage(answer.get("usage")), **_head(answer, request_id)}


def events(chunks: Iterable[JSON], request_id: str) -> Iterator[JSON]:
    """A stream's events from the chunks of a chat, usage included. The last one has why each candidate ended, the functions that it
    calls, and what was used."""
    candidates: dict[int, _Candidate] = {}
    head: JSON = {}
    used: JSON | None = None
    for chunk in chunks:
        head = head or _head(chunk, request_id)
        used = chunk.get("usage") or used
        for choice in chunk.get("choices") or ():
            candidate = candidates.setdefault(choice.get("index") or 0, _Candidate(choice.get("index") or 0))
            candidate.reason = choice.get("finish_reason") or candidate.reason
            parts = candidate.read(choice.get("delta") or {})
            logprobs = to_logprobs(choice.get("logprobs"))
            if parts or logprobs:
                yield {"candidates": [candidate.shown(parts, logprobs)], **head}
    if head:
        ends = [candidates[index].whole([]) for index in sorted(candidates)]
        yield {"candidates": ends, "usageMetadata": to_usage(used), **head}


def error_body(error: APIError) -> JSON:
    """https://cloud.google.com/apis/design/errors#error_model, with which of the gateway's errors it is, and when to ask again."""
    status = STATUS.get(error.status) or ("INTERNAL" if error.status >= 500 else "INVALID_ARGUMENT")
    reason = str(error.code or error.type).upper()
    named = {"metadata": {"param": error.param}} if error.param else {}
    details: list[JSON] = [{"@type": f"{DETAIL}ErrorInfo", "reason": reason, "domain": "haimaker", **named}]
    if wait := error.headers.get("retry-after"):
        details.append({"@type": f"{DETAIL}RetryInfo", "retryDelay": f"{wait}s"})
    attempts = {"attempts": list(error.attempts)} if error.attempts else {}
    return {"error": {"code": error.status, "message": error.message, "status": status, "details": details, **attempts}}


def to_usage(used: Any) -> JSON:
    """Google's `usageMetadata` of OpenAI's usage: what was thought is not counted among the candidates' tokens."""
    counted = usage.from_openai(used if isinstance(used, dict) else {})
    told: JSON = {
        "promptTokenCount": counted.prompt,
        "candidatesTokenCount": counted.completion - counted.reasoning,
        "totalTokenCount": counted.prompt + counted.completion,
    }
    if counted.all_cached:
        told["cachedContentTokenCount"] = counted.all_cached
    if counted.reasoning:
        told["thoughtsTokenCount"] = counted.reasoning
    sounds, images = counted.input_audio + counted.cached_audio, counted.input_image + counted.cached_image
    texts = counted.prompt - sounds - images - counted.input_video
    told["promptTokensDetails"] = _by_kind(("TEXT", texts), ("AUDIO", sounds), ("IMAGE", images), ("VIDEO", counted.input_video))
    return told | cost_fields(used)


def cost_fields(used: Any) -> JSON:
    return {name: used[name] for name in ("cost", "cost_estimated") if name in used} if isinstance(used, dict) else {}


def to_logprobs(given: Any) -> JSON | None:
    """https://ai.google.dev/api/generate-content#LogprobsResult"""
    tokens = given.get("content") if isinstance(given, dict) else None
    if not tokens:
        return None
    return {
        "chosenCandidates": [_logprob(token) for token in tokens],
        "topCandidates": [{"candidates": [_logprob(other) for other in token.get("top_logprobs") or ()]} for token in tokens],
    }


@dataclass(slots=True)
class _Candidate:
    """One choice, as far as it has come."""

    index: int
    reason: str | None = None
    text: str = ""
    calls: dict[int, JSON] = field(default_factory=dict)
    """By the index of the chat's call; Google's come whole."""
    annotations: list[JSON] = field(default_factory=list)
    kept: JSON = field(default_factory=dict)
    """What the message's maker wants back."""

    def read(self, delta: JSON) -> list[JSON]:
        """The parts that what came is, but for calls, which wait for their end."""
        parts: list[JSON] = []
        if thought := delta.get("reasoning_content"):
            parts.append({"text": thought, "thought": True})
        for name in ("content", "refusal"):
            if text := delta.get(name):
                self.text += text
                parts.append({"text": text})
        for image in delta.get("images") or ():
            parts += _blob((image.get("image_url") or {}).get("url"))
        if isinstance(delta.get("audio"), dict):
            parts += _spoken(delta["audio"])
        for position, call in enumerate(delta.get("tool_calls") or ()):
            self._call(call.get("index", position), call)
        self.annotations += delta.get("annotations") or ()
        self._keep(delta)
        return parts

    def shown(self, parts: list[JSON], logprobs: JSON | None = None) -> JSON:
        told: JSON = {"content": {"parts": parts, "role": "model"}, "index": self.index}
        return {**told, "logprobsResult": logprobs} if logprobs else told

    def whole(self, parts: list[JSON], logprobs: Any = None) -> JSON:
        """The whole candidate: the parts, the calls, what its maker wants back, the sources."""
        signature = gemini_thoughts.from_answer(self.kept, calls=bool(self.calls))
        if signature or not (parts or self.calls):
            parts = [*parts, {"text": "", **({"thoughtSignature": signature} if signature else {})}]
        parts = [*parts, *(_function_call(call) for _, call in sorted(self.calls.items()))]
        told = {**self.shown(parts, to_logprobs(logprobs)), "finishReason": FINISH_REASON.get(self.reason or "stop", "STOP")}
        google = as_object(as_object(self.kept.get("extra_content")).get("google"))
        grounding = as_object(google.get("grounding_metadata")) or to_grounding(self.annotations, self.text)
        return {**told, **({"groundingMetadata": grounding} if grounding else {})}

    def _call(self, index: int, piece: JSON) -> None:
        call = self.calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
        function = piece.get("function") or {}
        call["id"] = piece.get("id") or call["id"]
        call["name"] = function.get("name") or call["name"]
        call["arguments"] += function.get("arguments") or ""

    def _keep(self, delta: JSON) -> None:
        for name in gemini_thoughts.CARRIED:
            if isinstance(delta.get(name), list):
                self.kept[name] = [*self.kept.get(name, ()), *delta[name]]
        if isinstance(delta.get("extra_content"), dict):
            self.kept["extra_content"] = delta["extra_content"]


def to_grounding(annotations: Iterable[JSON], text: str) -> JSON:
    """Google counts places in bytes. https://ai.google.dev/api/generate-content#GroundingMetadata"""
    chunks: list[JSON] = []
    supports: list[JSON] = []
    for annotation in annotations:
        cited = annotation.get("url_citation") or {}
        chunk = {"web": {"uri": cited.get("url") or "", "title": cited.get("title") or ""}}
        if chunk not in chunks:
            chunks.append(chunk)
        start, end = cited.get("start_index") or 0, cited.get("end_index") or 0
        if start < end <= len(text):
            begin = len(text[:start].encode("utf-8", "surrogatepass"))
            words = text[start:end]
            segment = {"startIndex": begin, "endIndex": begin + len(words.encode("utf-8", "surrogatepass")), "text": words}
            supports.append({"segment": segment, "groundingChunkIndices": [chunks.index(chunk)]})
    return {"groundingChunks": chunks, "groundingSupports": supports} if chunks else {}


def _head(body: JSON, request_id: str) -> JSON:
    return {"modelVersion": body.get("model") or "", "responseId": body.get("id") or request_id}


def _function_call(call: JSON) -> JSON:
    identifier, signature = gemini_thoughts.from_call_id(call["id"])
    made = {**({"id": identifier} if identifier else {}), "name": call["name"], "args": arguments_object(call["arguments"])}
    return {"functionCall": made, **({"thoughtSignature": signature} if signature else {})}


def _blob(link: Any) -> list[JSON]:
    if not isinstance(link, str) or not link.startswith("data:"):
        return [{"fileData": {"fileUri": link}}] if isinstance(link, str) and link else []
    kind, _, data = link[5:].partition(";base64,")
    return [{"inlineData": {"mimeType": kind, "data": data}}]


def _spoken(audio: JSON) -> list[JSON]:
    parts: list[JSON] = [{"inlineData": {"mimeType": PCM, "data": audio["data"]}}] if audio.get("data") else []
    return [{"text": audio["transcript"]}, *parts] if audio.get("transcript") else parts


def _logprob(token: JSON) -> JSON:
    return {"token": token.get("token"), "logProbability": token.get("logprob")}


def _by_kind(*counts: tuple[str, int]) -> list[JSON]:
    return [{"modality": kind, "tokenCount": count} for kind, count in counts if count]
