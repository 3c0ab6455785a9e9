"""What a vendor says of a body that it gets for a chat: its SDK's own types, and the rules of its pages that types can't say.

`check(vendor, body)` raises AssertionError or ValidationError where the vendor would refuse it. It must not know the gateway.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter

from tests.support.reply import JSON

SIGNATURES = {
    "anthropic": "c2lnLWFudGhyb3BpYw==",
    "gemini": "c2lnLWdvb2dsZQ==",
    "openai": "gAAAAAB_opaque",
    "openrouter": "b3BhcXVl",
}
"""With which each vendor signs thinking in these tests, and no other that it takes."""
NOT_CHECKED = "skip_thought_signature_validator"
"""https://ai.google.dev/gemini-api/docs/thought-signatures"""


def check(vendor: str, body: JSON) -> None:
    CHECKS[vendor](body)


def anthropic(body: JSON) -> None:
    """https://platform.claude.com/docs/en/api/messages, …/tool-use/implement-tool-use, …/extended-thinking"""
    anthropic_types(body)
    turns = body["messages"]
    spoken = [turn["role"] for turn in turns if turn["role"] != "system"]
    assert spoken == [("user", "assistant")[place % 2] for place in range(len(spoken))], spoken
    blocks = [block for turn in turns for block in _blocks(turn["content"])]
    assert all(block["text"].strip() for block in blocks if block["type"] == "text"), "text content blocks must be non-empty"
    assert {block["signature"] for block in blocks if block["type"] == "thinking"} <= {SIGNATURES["anthropic"]}
    called = [{block["id"] for block in _blocks(turn["content"]) if block["type"] == "tool_use"} for turn in turns]
    answered = [[block["tool_use_id"] for block in _blocks(turn["content"]) if block["type"] == "tool_result"] for turn in turns]
    _each_call_is_answered(called, answered)
    assert turns[-1]["role"] != "assistant" or not str(turns[-1]["content"][-1].get("text", "")).endswith((" ", "\n"))
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]) for block in blocks if block["type"] == "tool_use")
    if body.get("thinking", {}).get("type") == "enabled":
        _begins_with_thinking([[block["type"] for block in _blocks(turn["content"])] for turn in turns])
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    assert not (forced and body.get("thinking", {}).get("type") in ("enabled", "adaptive")), "thinking and a forced tool"


def anthropic_types(body: JSON) -> None:
    """Its schemas may hold anything, and it takes parameters of old models that its types have no longer."""
    read = _anthropic_call().validate_python(body)
    _is_all_read(body["messages"], read["messages"])
    _walk([value for name, value in read.items() if name != "messages"])


def bedrock(body: JSON) -> None:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html"""
    from botocore.validate import ParamValidator

    shape = _converse()
    report = ParamValidator().validate({"modelId": "m", **_with_bytes(body, shape)}, shape)
    assert not report.has_errors(), report.generate_report()
    turns = body["messages"]
    assert [turn["role"] for turn in turns] == [("user", "assistant")[place % 2] for place in range(len(turns))]
    names = [block["document"]["name"] for turn in turns for block in turn["content"] if "document" in block]
    assert len(names) == len(set(names))
    for turn in turns:
        assert turn["content"]
        assert all(block["text"].strip() for block in turn["content"] if "text" in block)
        results = ["toolResult" in block for block in turn["content"] if "cachePoint" not in block]
        assert results == sorted(results, reverse=True)
        if any("document" in block for block in turn["content"]):
            assert any("text" in block for block in turn["content"])


def bedrock_loop(body: JSON) -> None:
    """As `bedrock`, and each call has its result in the next turn, without which Converse refuses a conversation."""
    bedrock(body)
    turns = body["messages"]
    called = [{block["toolUse"]["toolUseId"] for block in turn["content"] if "toolUse" in block} for turn in turns]
    answered = [[block["toolResult"]["toolUseId"] for block in turn["content"] if "toolResult" in block] for turn in turns]
    _each_call_is_answered(called, answered)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", identifier) for each in called for identifier in each), "toolUseId"
    if body.get("additionalModelRequestFields", {}).get("thinking", {}).get("type") == "enabled":
        kinds = {"reasoningContent": "thinking", "toolUse": "tool_use", "toolResult": "tool_result"}
        _begins_with_thinking([[kinds.get(name, name) for block in turn["content"] for name in block] for turn in turns])
    thoughts = [
        block["reasoningContent"]["reasoningText"] for turn in turns for block in turn["content"] if "reasoningContent" in block
    ]
    assert {thought.get("signature") for thought in thoughts} <= {SIGNATURES["anthropic"]}


def gemini(body: JSON) -> None:
    """Of the third generation: as `gemini_2`, and its calls are signed, https://ai.google.dev/gemini-api/docs/thought-signatures"""
    gemini_2(body)
    for turn in body["contents"]:
        first = next((part for part in turn["parts"] if "functionCall" in part), None)
        assert first is None or "thoughtSignature" in first, "Function call is missing a thought_signature"


def gemini_2(body: JSON) -> None:
    """https://ai.google.dev/api/generate-content, …/gemini-api/docs/function-calling"""
    gemini_types(body)
    turns = body["contents"]
    assert all(turn["parts"] for turn in turns), "contents.parts must not be empty"
    assert turns[0]["role"] == "user"
    calls = [[part["functionCall"] for part in turn["parts"] if "functionCall" in part] for turn in turns]
    results = [[part["functionResponse"] for part in turn["parts"] if "functionResponse" in part] for turn in turns]
    for called, answered in zip([[], *calls], [*results, []], strict=True):
        assert [call["name"] for call in called] == [result["name"] for result in answered], "function calls and responses differ"
    signatures = {part["thoughtSignature"] for turn in turns for part in turn["parts"] if "thoughtSignature" in part}
    assert signatures <= {SIGNATURES["gemini"], NOT_CHECKED}


def gemini_types(body: JSON) -> None:
    from google.genai import types

    others = dict(body)
    for turn in others.pop("contents"):
        types.Content.model_validate(turn)
    types.GenerateContentConfig.model_validate({**others.pop("generationConfig", {}), **others})


def mistral(body: JSON) -> None:
    """https://docs.mistral.ai/api/endpoint/chat, and the order of roles of
    https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py"""
    mistral_types(body)
    turns = body["messages"]
    for before, turn in pairwise(turns):
        follows = FOLLOWS["called" if before.get("tool_calls") else before["role"]]
        assert turn["role"] in follows, f"Expected last role {follows} but got {turn['role']} after {before['role']}"
    assert turns[-1]["role"] in ("user", "tool") or turns[-1].get("prefix"), "Expected last role User or Tool"
    _openai_ids(turns)
    for turn in turns:
        assert turn["role"] != "assistant" or turn.get("content") or turn.get("tool_calls"), "Assistant message must have content"
        assert all(re.fullmatch(r"[a-zA-Z0-9]{9}", call["id"]) for call in turn.get("tool_calls") or ())


def mistral_types(body: JSON) -> None:
    from mistralai.client.models import ChatCompletionRequest

    read = ChatCompletionRequest.model_validate(body)
    _is_all_read(body, read.model_dump(exclude_unset=True, by_alias=True, mode="json"))


FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "system": ("system", "user", "assistant"),
    "user": ("system", "user", "assistant"),
    "assistant": ("assistant", "user"),
    "called": ("tool",),
    "tool": ("assistant", "tool"),
}


def cohere(body: JSON) -> None:
    """https://docs.cohere.com/reference/chat"""
    cohere_types(body)
    _openai_ids(body["messages"])


def cohere_types(body: JSON) -> None:
    from cohere.types import ChatMessageV2, Document, ResponseFormatV2, Thinking, ToolV2

    kinds: JSON = {
        "documents": list[str | Document],  # type: ignore[valid-type]
        "messages": list[ChatMessageV2],  # type: ignore[valid-type]
        "response_format": ResponseFormatV2,
        "thinking": Thinking,
        "tools": list[ToolV2],
    }
    assert set(body) <= {*kinds, *COHERE_PLAIN}
    for name, kind in kinds.items():
        if name in body:
            _is_all_read(body[name], _dumped(TypeAdapter(kind).validate_python(body[name])))


COHERE_PLAIN = frozenset(
    {
        "citation_options", "frequency_penalty", "k", "logprobs", "max_tokens", "model", "p", "presence_penalty", "priority",
        "safety_mode", "seed", "stop_sequences", "stream", "strict_tools", "temperature", "tool_choice",
    }
)  # fmt: skip


def openai(body: JSON) -> None:
    """https://platform.openai.com/docs/api-reference/chat/create, whose server knows no other fields."""
    _is_all_read(body, _openai_call().validate_python(body))
    _openai_ids(body["messages"])


def deepseek(body: JSON) -> None:
    """https://api-docs.deepseek.com/api/create-chat-completion, …/guides/thinking_mode"""
    thinking = body.get("thinking", {}).get("type") != "disabled"
    own = {name: value for name, value in body.items() if name != "thinking"}
    turns = [{name: value for name, value in turn.items() if name != "reasoning_content"} for turn in body["messages"]]
    openai({**own, "messages": turns})
    for turn in body["messages"]:
        assert isinstance(turn.get("content"), str | None), "invalid type: sequence, expected a string"
        assert not (thinking and turn.get("tool_calls")) or turn.get("reasoning_content"), "Missing `reasoning_content` field"
    assert not thinking or body.get("tool_choice") in (None, "auto", "none"), "a forced tool while it thinks"


def responses(body: JSON) -> None:
    """https://platform.openai.com/docs/api-reference/responses/create; of an item, the SDK's types ask for more than the API."""
    items = body["input"]
    _is_all_read({**body, "input": "Hi"}, _openai_response().validate_python({**body, "input": "Hi"}))
    for item in items:
        assert set(item) <= RESPONSE_ITEMS[item.get("type", "message")] | {"id", "status"}, f"unknown fields of {item}"
        assert item.get("encrypted_content") in (None, SIGNATURES["openai"])
    called = [item["call_id"] for item in items if item.get("type") in ("function_call", "custom_tool_call")]
    answered = [item["call_id"] for item in items if str(item.get("type")).endswith("_call_output")]
    assert sorted(called) == sorted(answered), "No tool output found for function call"
    assert all(len(identifier) <= 64 for identifier in called), "call_id: string too long"


RESPONSE_ITEMS: Mapping[str, set[str]] = {
    "message": {"type", "role", "content"},
    "reasoning": {"type", "id", "summary", "encrypted_content"},
    "function_call": {"type", "call_id", "name", "arguments"},
    "function_call_output": {"type", "call_id", "output"},
    "custom_tool_call": {"type", "call_id", "name", "input"},
    "custom_tool_call_output": {"type", "call_id", "output"},
}


def groq(body: JSON) -> None:
    """https://console.groq.com/docs/api-reference#chat-create"""
    openai(body)
    assert not {"logprobs", "logit_bias", "top_logprobs", "store", "metadata"} & set(body)
    assert all(value is not None for turn in body["messages"] for value in turn.values()), "property is null"


def openrouter(body: JSON) -> None:
    """https://openrouter.ai/docs/api-reference/chat-completion: OpenAI's, with cache marks, reasoning that comes back, usage."""
    own = {"usage", "reasoning"}
    marks = ("cache_control", "reasoning", "reasoning_content", "reasoning_details")
    turns = [{name: _unmarked(value) for name, value in turn.items() if name not in marks} for turn in body["messages"]]
    openai({**{name: value for name, value in body.items() if name not in own}, "messages": turns})


def _unmarked(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [{name: inner for name, inner in part.items() if name != "cache_control"} for part in value]


def gpt_6(body: JSON) -> None:
    """https://platform.openai.com/docs/guides/latest-model: what thinks by default, in chat completions and in Responses."""
    if "input" in body:
        responses(body)
        effort = body.get("reasoning", {}).get("effort")
        assert effort == "none" or not {"temperature", "top_p", "top_logprobs"} & set(body)
        return
    openai(body)
    effort = body.get("reasoning_effort")
    assert "max_tokens" not in body, "Unsupported parameter: 'max_tokens' is not supported with this model"
    assert effort == "none" or body.get("temperature", 1) == 1, "'temperature' does not support this value with this model"
    assert effort == "none" or not {"top_p", "stop", "presence_penalty", "logprobs"} & set(body)
    assert effort == "none" or not body.get("tools"), "Function tools with reasoning_effort are not supported for this model"


def claude_5_5(body: JSON) -> None:
    """https://platform.claude.com/docs/en/models/opus-5-5/whats-new-opus-5-5; its body is the same on Vertex AI."""
    anthropic({"model": "m", **body})
    _adapts(body.get("tool_choice", {}).get("type") in ("any", "tool"), body)
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert body["messages"][-1]["role"] != "assistant", "This model does not support assistant message prefill"


def claude_5(body: JSON) -> None:
    """https://platform.claude.com/docs/en/about-claude/models/whats-new-opus-5: it can be forced to a tool while it does not think,
    and thinks unless it is told not to."""
    anthropic({"model": "m", **body})
    _forced_without_thinking(body.get("tool_choice", {}).get("type") in ("any", "tool"), body)
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert body["messages"][-1]["role"] != "assistant", "This model does not support assistant message prefill"


def bedrock_claude_5(body: JSON) -> None:
    bedrock_loop(body)
    choice = body.get("toolConfig", {}).get("toolChoice", {})
    _forced_without_thinking(bool({"any", "tool"} & set(choice)), body.get("additionalModelRequestFields", {}))
    assert not {"temperature", "topP"} & set(body.get("inferenceConfig", {}))


def _forced_without_thinking(forced: bool, own: JSON) -> None:
    kind = own.get("thinking", {}).get("type")
    assert not forced or kind == "disabled", "Thinking may not be enabled when tool_choice forces tool use"
    assert kind in (None, "adaptive", "disabled"), '"thinking.type.enabled" is not supported for this model'


def bedrock_claude_5_5(body: JSON) -> None:
    bedrock_loop(body)
    choice = body.get("toolConfig", {}).get("toolChoice", {})
    _adapts(bool({"any", "tool"} & set(choice)), body.get("additionalModelRequestFields", {}))
    assert not {"temperature", "topP"} & set(body.get("inferenceConfig", {}))


def _adapts(forced: bool, own: JSON) -> None:
    assert not forced, "tool_choice: forced tool use is not supported for this model"
    assert own.get("thinking", {}).get("type") in (None, "adaptive"), '"thinking.type.enabled" is not supported for this model'


def gpt_6_astra(body: JSON) -> None:
    """…/models/gpt-6-astra: its reasoning can't be turned off."""
    gpt_6(body)
    assert "none" not in (body.get("reasoning_effort"), body.get("reasoning", {}).get("effort")), "Unsupported value: 'none'"


CHECKS: Mapping[str, Callable[[JSON], None]] = {
    "anthropic": anthropic,
    "bedrock": bedrock_loop,
    "bedrock_claude_5": bedrock_claude_5,
    "bedrock_claude_5_5": bedrock_claude_5_5,
    "claude_5": claude_5,
    "claude_5_5": claude_5_5,
    "cohere": cohere,
    "deepseek": deepseek,
    "gemini": gemini,
    "gemini_2": gemini_2,
    "gpt_6": gpt_6,
    "gpt_6_astra": gpt_6_astra,
    "groq": groq,
    "mistral": mistral,
    "openai": openai,
    "openrouter": openrouter,
    "responses": responses,
}


def _begins_with_thinking(turns: list[list[str]]) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks: of a model that thinks by
    a budget, each turn in which it called tools for the last thing that was said to it."""
    said = max((at for at, kinds in enumerate(turns) if not at % 2 and "tool_result" not in kinds), default=0)
    for kinds in turns[said:]:
        begins = kinds[0] in ("thinking", "redacted_thinking")
        assert "tool_use" not in kinds or begins, "a final `assistant` message must start with a thinking block"


def _each_call_is_answered(called: list[set[str]], answered: list[list[str]]) -> None:
    """In the turn after it, and once; and no result is of another call."""
    for calls, results in zip([set(), *called], [*answered, []], strict=True):
        assert sorted(calls) == sorted(results), f"calls {calls} have the results {results}"


def _openai_ids(messages: Iterable[JSON]) -> None:
    """The results of a turn's calls follow it, before anything else."""
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] in waiting, "a tool's result must be a response to a preceding message with tool calls"
            waiting.discard(message["tool_call_id"])
            continue
        assert not waiting, f"calls without results: {waiting}"
        waiting = {call["id"] for call in message.get("tool_calls") or ()}
    assert not waiting, f"calls without results: {waiting}"


def _blocks(content: Any) -> list[JSON]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _is_all_read(body: Any, read: Any) -> None:
    """Raises unless nothing of a body was passed over when it was read; lists of typed dicts are read as they are walked."""
    if isinstance(body, dict):
        assert isinstance(read, Mapping), f"{body} is no object"
        assert set(body) <= set(read), f"unknown fields: {sorted(set(body) - set(read))}"
        for name, value in body.items():
            _is_all_read(value, read[name])
    elif isinstance(body, list):
        for value, found in zip(body, _listed(read), strict=True):
            _is_all_read(value, found)


def _walk(value: Any) -> None:
    if not isinstance(value, str | int | float | bool | None):
        for inner in value.values() if isinstance(value, dict) else value:
            _walk(inner)


def _listed(read: Any) -> Iterator[Any]:
    assert not isinstance(read, str | Mapping), "a list where none is taken"
    return iter(read)


def _dumped(value: Any) -> Any:
    if isinstance(value, list):
        return [_dumped(inner) for inner in value]
    return value.model_dump(exclude_unset=True) if hasattr(value, "model_dump") else value


@cache
def _anthropic_call() -> TypeAdapter[Any]:
    from anthropic.types.beta.message_create_params import MessageCreateParams

    return TypeAdapter(MessageCreateParams)


@cache
def _openai_call() -> TypeAdapter[Any]:
    from openai.types.chat.completion_create_params import CompletionCreateParams

    return TypeAdapter(CompletionCreateParams)


@cache
def _openai_response() -> TypeAdapter[Any]:
    from openai.types.responses.response_create_params import ResponseCreateParams

    return TypeAdapter(ResponseCreateParams)


@cache
def _bedrock_model() -> Any:
    import botocore.session

    return botocore.session.Session().get_service_model("bedrock-runtime")


def _converse() -> Any:
    return _bedrock_model().operation_model("Converse").input_shape


def bedrock_stop_reasons() -> set[str]:
    return set(_bedrock_model().shape_for("StopReason").enum)


def _with_bytes(value: Any, shape: Any) -> Any:
    """The value as a caller of botocore would give it: bytes where the wire has base64."""
    if shape.type_name == "blob":
        return b64decode(value, validate=True)
    if shape.type_name == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{shape.name} has no {unknown}"
        assert not getattr(shape, "is_tagged_union", False) or len(value) == 1
        return {name: _with_bytes(inner, shape.members[name]) for name, inner in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_with_bytes(inner, shape.member) for inner in value]
    allowed = shape.metadata.get("enum")
    assert not allowed or value in allowed, f"{value!r} is not among {allowed}"
    return value
