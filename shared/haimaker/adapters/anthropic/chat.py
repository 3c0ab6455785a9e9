"""Chat completions over Anthropic's Messages API.

https://platform.claude.com/docs/en/api/messages. This is the entry: `messages`, `tools` and `settings` make the request, `answer`
reads the response. Vertex AI and Bedrock take the same body at other paths: `vertex` and `bedrock` edit what this makes.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from haimaker.adapters.anthropic import counts, parts, settings, tools
from haimaker.adapters.anthropic.answer import Answer, merge_deltas
from haimaker.adapters.anthropic.failures import from_body, read_error
from haimaker.adapters.anthropic.messages import to_conversation
from haimaker.adapters.anthropic.pauses import PausedTurn
from haimaker.adapters.anthropic.request_builder import RequestBuilder
from haimaker.adapters.events import json_object
from haimaker.adapters.parameters import HINTS, OPENAI, Parameters
from haimaker.adapters.repairs import repair_messages
from haimaker.http import errors
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing import usage

__all__ = ["PausedTurn", "from_stream", "from_upstream", "read_error", "to_upstream"]

PATH = "/messages"

PARAMETERS = Parameters(
    taken=frozenset(
        [
            "max_completion_tokens",
            "max_tokens",
            "messages",
            "metadata",
            "model",
            "parallel_tool_calls",
            "reasoning_effort",
            "response_format",
            "safety_identifier",
            "service_tier",
            "stop",
            "stream",
            "stream_options",
            "temperature",
            "tool_choice",
            "tools",
            "top_p",
            "user",
            "web_search_options",
        ]
    ),
    harmless=frozenset(
        [
            "frequency_penalty",
            "prediction",
            "presence_penalty",
            *HINTS,
            "seed",
            "store",
            "top_logprobs",
            "verbosity",
        ]
    ),
    neutral={
        "frequency_penalty": (0,),
        "logprobs": (False,),
        "modalities": (["text"],),
        "n": (1,),
        "presence_penalty": (0,),
        "store": (False,),
        "top_logprobs": (0,),
    },
)


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    builder = translate(request, attempt)
    return UpstreamRequest(PATH, dumps(builder.anthropic_body), headers(builder, attempt), dropped=tuple(builder.dropped))


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    said = body.object()
    if said.get("type") == "error" or (said.get("error") and "content" not in said):
        raise from_body(said)
    if not isinstance(said.get("content"), list) and not said.get("stop_reason"):
        raise errors.BadGatewayError("The provider's answer has no content.", code="invalid_provider_response")
    answer = Answer()
    message = merge_deltas(chain(answer.read({"type": "message_start", "message": said}), answer.rest()))
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason, "logprobs": None}
    return Result({**_head(answer, attempt, "chat.completion"), "choices": [choice], **_usage(answer), **_container(answer)})


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    """The first chunk waits for the first word of the answer: until then another provider may be asked instead."""
    answer = Answer()
    role: JSON | None = {"role": "assistant"}
    for event in events:
        body = json_object(event)
        if body.get("type") == "error" or (body.get("error") and "type" not in body):
            yield from () if role else end_chunks(answer, attempt)
            raise from_body(body)
        for delta in answer.read(body):
            if role:
                yield chunk(answer, attempt, role)._replace(so_far=usage_so_far(answer))
                role = None
            yield chunk(answer, attempt, delta)
        if answer.ended:
            break
    if not answer.ended and not answer.stop_reason:
        yield from () if role else end_chunks(answer, attempt)
        raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")
    *deltas, last = answer.rest()
    for delta in [role, *deltas] if role else deltas:
        yield chunk(answer, attempt, delta)
    yield chunk(answer, attempt, last, answer.finish_reason)
    yield from end_chunks(answer, attempt)


def translate(request: ChatRequest, attempt: Attempt) -> RequestBuilder:
    """The whole call. The order counts: each step reads what the ones before it decided."""
    builder = _new_builder(request, attempt)
    own_system = parts.to_blocks(builder.anthropic_body.pop("system", None), "system")
    system, builder.anthropic_body["messages"] = to_conversation(
        repair_messages(builder.openai_body["messages"], attempt),
        prefills=builder.traits.prefills,
        system_turns=builder.traits.system_turns,
    )
    if own_system or system:
        builder.anthropic_body["system"] = [*own_system, *system]
    settings.set_limits(builder, attempt)
    settings.set_account(builder)
    tools.set_tools(builder)
    settings.set_thinking(builder)
    tools.drop_thinking_of_forced_call(builder)
    tools.set_response_format(builder)
    settings.set_sampling(builder)
    settings.bind_thinking(builder)
    settings.allow_files(builder)
    if request.streams:
        builder.anthropic_body["stream"] = True
    if "tools" in builder.anthropic_body:
        builder.anthropic_body["tools"] = tools.limit_uses(builder.anthropic_body["tools"], attempt)
    builder.anthropic_body = {**attempt.provider.dialect.add, **builder.anthropic_body}
    return builder


def headers(builder: RequestBuilder, attempt: Attempt) -> JSON:
    betas = {"anthropic-beta": ",".join(builder.betas)} if builder.betas else {}
    return {"content-type": "application/json", **attempt.provider.dialect.headers, **betas}


def _new_builder(request: ChatRequest, attempt: Attempt) -> RequestBuilder:
    provider = attempt.provider
    body = {provider.dialect.rename.get(name, name): value for name, value in request.body.items()}
    dropped = [name for name in provider.dialect.drop if name in body]
    asked, lost = PARAMETERS.split({name: value for name, value in body.items() if name not in dropped})
    own = {name: value for name, value in asked.items() if name not in OPENAI and value is not None}
    builder = RequestBuilder(asked, attempt.traits, bool(body.get("drop_params")), {"model": attempt.model, **own})
    for name in (*dropped, *lost):
        builder.drop(name)
    return builder


def _head(answer: Answer, attempt: Attempt, kind: str) -> JSON:
    head = {
        "id": f"chatcmpl-{answer.id or attempt.request_id}",
        "object": kind,
        "created": attempt.created_s,
        "model": answer.model or attempt.model,
    }
    tier = counts.service_tier(answer.usage)
    return {**head, "service_tier": tier} if tier in ("default", "priority") else head


def chunk(answer: Answer, attempt: Attempt, delta: JSON, finish_reason: str | None = None) -> StreamEvent:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
    return StreamEvent({**_head(answer, attempt, "chat.completion.chunk"), "choices": [choice]})


def end_chunks(answer: Answer, attempt: Attempt) -> Iterator[StreamEvent]:
    """The chunk of usage, also for an answer that breaks off: what there was of it is charged."""
    if used := _usage(answer):
        yield StreamEvent({**_head(answer, attempt, "chat.completion.chunk"), "choices": [], **used, **_container(answer)})


def usage_so_far(answer: Answer) -> JSON | None:
    """What `message_start` counts. https://platform.claude.com/docs/en/build-with-claude/streaming#event-types"""
    return _usage(answer).get("usage")


def _usage(answer: Answer) -> JSON:
    """The field `usage`; without one where the provider told none that can be, so that it is estimated and not free."""
    used = answer.used
    if not usage.is_plausible(used):
        return {}
    copied = {name: used[name] for name in counts.COPIED if isinstance(used.get(name), str | list)}
    unbilled = {"billed": False} if answer.is_refused else {}
    return {"usage": {**usage.to_openai(counts.to_usage(used)), **copied, **unbilled}}


def _container(answer: Answer) -> JSON:
    return {"container": answer.container} if answer.container else {}
