"""Chat completions of Gemini, on Google AI Studio and on Vertex AI: `generateContent` and its stream.

https://ai.google.dev/api/generate-content, https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
"""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from haimaker.adapters.events import json_object
from haimaker.adapters.gemini import grounding
from haimaker.adapters.gemini.answers import Choice, to_logprobs
from haimaker.adapters.gemini.contents import to_contents
from haimaker.adapters.gemini.failures import from_body, read_error
from haimaker.adapters.gemini.generation import to_body
from haimaker.adapters.gemini.tokens import service_tier, to_usage
from haimaker.adapters.gemini.tools import to_tools
from haimaker.adapters.parameters import forces_tools, unforceable_tools_error
from haimaker.adapters.repairs import repair_messages
from haimaker.http import errors
from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

WHOLE = "generateContent"
STREAMED = "streamGenerateContent?alt=sse"
IN_CACHE: Mapping[str, str] = {"systemInstruction": "system", "tools": "tools", "toolConfig": "tool_choice"}
"""Parts of a request that cached content holds itself and excludes: https://ai.google.dev/gemini-api/docs/caching"""
KNOWN = ("candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId")


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    provider = attempt.provider
    asked = {**provider.dialect.add, **request.body}
    removed = tuple(name for name in provider.dialect.drop if name in asked)
    if forces_tools(asked) and not attempt.traits.forces_tools:
        if not asked.get("drop_params"):
            raise unforceable_tools_error()
        removed += ("tool_choice",)
    asked = {name: value for name, value in asked.items() if name not in removed}
    body, dropped = to_body(asked, attempt)
    system, contents = to_contents(repair_messages(asked["messages"], attempt), attempt.traits)
    tools, tool_config = to_tools(asked, attempt.traits, provider.dialect.drop)
    body = {"contents": contents, **({"systemInstruction": {"parts": system}} if system else {}), **body}
    if tools:
        body["tools"] = tools
    if tool_config:
        body["toolConfig"] = {**tool_config, **as_object(body.get("toolConfig"))}
    if body.get("cachedContent"):
        dropped += tuple(name for field_name, name in IN_CACHE.items() if field_name in body)
        body = {name: value for name, value in body.items() if name not in IN_CACHE}
    path = f"/models/{quote(attempt.model, safe='@')}:{STREAMED if request.streams else WHOLE}"
    headers = {"content-type": "application/json", **provider.dialect.headers}
    return UpstreamRequest(path, dumps(body), headers, dropped=(*removed, *dropped))


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    said = read_answer(body)
    answer = Answer(attempt)
    answer.note(said)
    choices = []
    for index, candidate in candidates(said) or [(0, {})]:
        choice = answer.choice(index)
        message, logprobs = choice.to_message(candidate), to_logprobs(candidate.get("logprobsResult"))
        if choice.has_failed:
            raise answer.failure(choice)
        choices.append({"index": index, "message": message, "logprobs": logprobs, "finish_reason": answer.finish_reason(choice)})
    usage = answer.usage()
    return Result({**answer.head("chat.completion"), "choices": choices, **({"usage": usage} if usage else {})})


def read_answer(body: UpstreamBody) -> JSON:
    """A whole answer. Raises APIError for an error in a 200, BadGatewayError for what is no answer."""
    said = body.object()
    if said.get("error"):
        raise from_body(said)
    if not any(name in said for name in KNOWN):
        raise errors.BadGatewayError("The provider's answer has no candidates.")
    return said


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    answer = Answer(attempt)
    for event in events:
        body = json_object(event)
        if body.get("error"):
            raise from_body(body)
        answer.note(body)
        for index, candidate in candidates(body):
            if index not in answer.choices:
                answer.choice(index)
                yield answer.chunk(index, {"role": "assistant"})._replace(so_far=answer.usage())
            delta = (choice := answer.choice(index)).read(candidate)
            answer.has_spoken = answer.has_spoken or bool(delta)
            logprobs = to_logprobs(candidate.get("logprobsResult"))
            if delta or logprobs:
                yield answer.chunk(index, delta, logprobs=logprobs)
            if choice.has_failed:
                if (usage := answer.usage()) and answer.has_spoken:
                    yield StreamEvent({**answer.head("chat.completion.chunk"), "choices": [], "usage": usage})
                raise answer.failure(choice)
    yield from _endings(answer)
    if usage := answer.usage():
        yield StreamEvent({**answer.head("chat.completion.chunk"), "choices": [], "usage": usage})


def _endings(answer: "Answer") -> Iterator[StreamEvent]:
    """The last chunk of each choice: not with the event that ends it, since its sources, or more of it, may follow."""
    complete = answer.blocked or all(choice.reason is not None for choice in answer.choices.values())
    if not answer.begun or not complete:
        raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")
    if not answer.choices:
        answer.choice(0)
        yield answer.chunk(0, {"role": "assistant"})
    for index, choice in answer.choices.items():
        yield answer.chunk(index, choice.end(), answer.finish_reason(choice))


@dataclass(slots=True)
class Answer:
    """What has come of an answer so far."""

    attempt: Attempt
    choices: dict[int, Choice] = field(default_factory=dict)
    metadata: JSON = field(default_factory=dict)
    id: str = ""
    model: str = ""
    begun: bool = False
    blocked: bool = False
    has_spoken: bool = False

    def note(self, body: JSON) -> None:
        """Keeps what is not a candidate's. Usage comes with every event, grows, and may lose fields on the way."""
        self.metadata.update(as_object(body.get("usageMetadata")))
        self.id = self.id or as_text(body.get("responseId"))
        self.model = self.model or as_text(body.get("modelVersion"))
        self.blocked = self.blocked or bool(as_object(body.get("promptFeedback")).get("blockReason"))
        self.begun = True

    def choice(self, index: int) -> Choice:
        return self.choices.setdefault(index, Choice(index, self.attempt))

    def finish_reason(self, choice: Choice) -> str:
        return "content_filter" if self.blocked and choice.reason is None else choice.finish_reason()

    def failure(self, choice: Choice) -> errors.APIError:
        """The error of a generation that failed."""
        reason = choice.reason or ""
        words = choice.words or "The model's answer failed."
        return errors.BadGatewayError(f"{words} ({reason})", code=reason.lower(), usage=self.usage())

    def head(self, kind: str) -> JSON:
        tier = service_tier(self.metadata)
        return {
            "id": f"chatcmpl-{self.id or self.attempt.request_id}",
            "object": kind,
            "created": self.attempt.created_s,
            "model": self.model or self.attempt.model,
            **({"service_tier": tier} if tier else {}),
        }

    def chunk(self, index: int, delta: JSON, finish_reason: str | None = None, logprobs: JSON | None = None) -> StreamEvent:
        choice: JSON = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return StreamEvent({**self.head("chat.completion.chunk"), "choices": [choice]})

    def usage(self) -> JSON | None:
        grounded = [choice.google.get("groundingMetadata", {}) for choice in self.choices.values()]
        searches = sum(len(grounding.searches(each)) for each in grounded)
        asked_maps = sum(map(grounding.asks_maps, grounded))
        return to_usage(self.metadata, searches if self.attempt.traits.bills_searches else min(searches, 1), asked_maps)


def candidates(body: JSON) -> list[tuple[int, JSON]]:
    """The candidates, each with its index, which is left out where it is zero."""
    found = [(candidate.get("index"), candidate) for candidate in as_objects(body.get("candidates"))]
    return [(index if type(index) is int else place, candidate) for place, (index, candidate) in enumerate(found)]
