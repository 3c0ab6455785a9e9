"""The official SDK, whole and streamed, at an upstream that refuses what each vendor and each model would refuse.

Three turns with an image, a document, a mark for the cache, thinking, a forced tool, two calls at once, and an answer in JSON, at
the ten providers that are used most; and the newest models of OpenAI and Anthropic at every provider that serves them.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionMessage
from pydantic import ValidationError

from tests.contract.money_support import Desk
from tests.contract.sdk_support import sdk
from tests.support import vendor_schemas
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.reply import JSON
from tests.support.vendor_answers import Said, answer

WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
IMAGE: JSON = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
DOCUMENT: JSON = {"type": "file", "file": {"filename": "map.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}
MARK: JSON = {"cache_control": {"type": "ephemeral"}}
CITY: JSON = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
FUNCTION: JSON = {"name": "weather", "description": "Tells it.", "parameters": CITY}
TOOLS: list[JSON] = [{"type": "function", "function": FUNCTION}]
FORMAT: JSON = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}}
CALLED = Said("Both.", "I look.", (("weather", {"city": "Zürich"}), ("weather", {"city": "Bern"})))
SAID = Said("Warmer there.", "Bern is warmer.", turn=1)
ANSWERED = {"city": "Bern"}


def plays(vendor: str, schema: str, said: Said) -> Any:
    def reply(call: Call) -> Reply:
        try:
            vendor_schemas.check(schema, call.json)
        except (AssertionError, ValidationError, KeyError) as error:
            return Reply.json(400, {"message": str(error), "error": {"message": str(error)}})
        streams = "stream" in call.path or call.json.get("stream", False)
        return answer("responses" if "/responses" in call.path else vendor, _by_tool(call.json) or said, stream=streams)

    return reply


def _by_tool(body: JSON) -> Said | None:
    """What a model says that is to give its answer by way of a tool of ours."""
    names = [tool["function"]["name"] for tool in body.get("tools", []) if "function" in tool]
    own = [name for name in names if name != "weather"]
    return Said(calls=((own[0], ANSWERED),), turn=2) if own else None


class Talk:
    """A conversation by the SDK, in which the client keeps all that it is told."""

    def __init__(self, desk: Desk, key: str, model: str, *, stream: bool) -> None:
        self.client, self.model, self.stream = sdk(desk, key), model, stream
        self.messages: list[Any] = []

    def ask(self, **fields: Any) -> ChatCompletionMessage:
        wanted: JSON = {"model": self.model, "messages": self.messages, **fields}
        if self.stream:
            state = ChatCompletionStreamState()
            for chunk in self.client.chat.completions.create(**wanted, stream=True):
                state.handle_chunk(chunk)
            message: ChatCompletionMessage = state.get_final_completion().choices[0].message
        else:
            message = self.client.chat.completions.create(**wanted).choices[0].message
        self.messages.append(message.model_dump(exclude_none=True))
        return message

    def answer_calls(self, message: ChatCompletionMessage) -> list[JSON]:
        calls = [call for call in message.tool_calls or [] if call.type == "function"]
        self.messages += [{"role": "tool", "tool_call_id": call.id, "content": "21 °C"} for call in calls]
        return [json.loads(call.function.arguments) for call in calls]


@pytest.mark.parametrize(
    ("vendor", "schema", "model", "sees", "marks"),
    [
        ("openai", "openai", "openai/gpt-5.2", "image pdf", ""),
        ("openai", "openai", "azure/gpt-5.2", "image pdf", ""),
        ("openai", "gpt_6_astra", "openai/gpt-6-astra", "image pdf", ""),
        ("openai", "gpt_6_astra", "azure/gpt-6.1-sol", "image pdf", ""),
        ("openai", "gpt_6", "azure_ai/gpt-5.6-terra", "image pdf", ""),
        ("openai", "gpt_6", "databricks/databricks-gpt-5-5", "image pdf", ""),
        ("openai", "gpt_6", "openai/gpt-5.5-pro", "image pdf", ""),
        ("openai", "gpt_6", "openai/gpt-6-sol", "image pdf", ""),
        ("openai", "gpt_6", "azure/gpt-6-sol", "image pdf", ""),
        ("anthropic", "anthropic", "anthropic/claude-sonnet-4-5", "image pdf", "cache_control"),
        ("anthropic", "claude_5", "anthropic/claude-opus-5", "image pdf", "cache_control"),
        ("anthropic", "claude_5", "vertex_ai/claude-opus-5", "image pdf", "cache_control"),
        ("anthropic", "claude_5", "bedrock_invoke/us.anthropic.claude-opus-5", "image pdf", "cache_control"),
        ("gemini", "gemini", "gemini/gemini-3.1-pro-preview", "image pdf", ""),
        ("gemini", "gemini", "vertex_ai/gemini-3.1-pro-preview", "image pdf", ""),
        ("bedrock", "bedrock", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "image pdf", "cachePoint"),
        ("bedrock", "bedrock_claude_5", "bedrock/us.anthropic.claude-opus-5", "image pdf", "cachePoint"),
        ("gemini", "gemini", "gemini/gemini-3.5-flash", "image pdf", ""),
        ("gemini", "gemini_2", "vertex_ai/gemini-2.5-pro", "image pdf", ""),
        ("mistral", "mistral", "mistral/mistral-medium-2604", "image pdf", ""),
        ("groq", "groq", "groq/openai/gpt-oss-120b", "", ""),
        ("groq", "groq", "groq/meta-llama/llama-4-maverick-17b-128e-instruct", "image", ""),
        ("groq", "groq", "groq/qwen/qwen3-32b", "", ""),
        ("deepseek", "deepseek", "deepseek/deepseek-v4-flash", "", ""),
        ("deepseek", "deepseek", "deepseek/deepseek-v4-pro", "", ""),
        ("openrouter", "openrouter", "openrouter/anthropic/claude-sonnet-4.5", "image pdf", "cache_control"),
        ("openrouter", "openrouter", "openrouter/anthropic/claude-opus-5", "image pdf", "cache_control"),
        ("openrouter", "openrouter", "openrouter/google/gemini-3.1-pro-preview", "image pdf", "cache_control"),
        ("openrouter", "openrouter", "openrouter/openai/gpt-6-sol", "image pdf", "cache_control"),
    ],
)
@WAYS
def test_three_turns_with_everything(
    desk: Desk, key: str, upstream: FakeUpstream, vendor: str, schema: str, model: str, sees: str, marks: str, stream: bool
) -> None:
    """`sees`: what it takes beside text; `marks`: what its marks for the cache are called."""
    talk = Talk(desk, key, model, stream=stream)
    parts = [{"type": "text", "text": "Where is it warmer?", **MARK}]
    parts += [IMAGE] if "image" in sees else []
    parts += [DOCUMENT] if "pdf" in sees else []
    talk.messages = [
        {"role": "system", "content": [{"type": "text", "text": "Be brief.", **MARK}]},
        {"role": "user", "content": parts},
    ]

    upstream.answers(plays(vendor, schema, CALLED))
    forced: Any = {"type": "function", "function": {"name": "weather"}} if stream else "required"
    message = talk.ask(tools=TOOLS, tool_choice=forced, parallel_tool_calls=True, reasoning_effort="high")
    assert talk.answer_calls(message) == [arguments for _, arguments in CALLED.calls]
    sent = upstream.calls[-1].body.decode()
    assert all(data in sent for data, kind in ((PIXEL, "image"), (PDF, "pdf")) if kind in sees)
    assert marks in sent
    assert ("cache" in sent) == bool(marks)

    upstream.answers(plays(vendor, schema, SAID))
    message = talk.ask(tools=TOOLS, reasoning_effort="high")
    assert message.content == SAID.text
    shown = (message.model_extra or {}).get("reasoning_content")
    over_responses = "/responses" in upstream.calls[-1].path
    assert shown == (None if vendor == "openai" and not over_responses else SAID.thought)
    if over_responses:
        assert vendor_schemas.SIGNATURES["openai"] in upstream.calls[-1].body.decode(), "its thinking did not come back"

    talk.messages.append({"role": "user", "content": "Which city?"})
    upstream.answers(plays(vendor, schema, Said(text=json.dumps(ANSWERED), turn=2)))
    assert json.loads(talk.ask(response_format=FORMAT).content or "") == ANSWERED


def newest() -> Iterator[tuple[str, str, str]]:
    """Who writes the answer, whose rules hold, and the model."""
    for name in ("gpt-6-sol", "gpt-5.6", "gpt-5.5"):
        yield from (("openai", "gpt_6", host + name) for host in ("openai/", "azure/", "azure_ai/", "github/openai/"))
    for name in ("gpt-6-astra", "gpt-6.2-sol", "gpt-7", "gpt-5.3-codex", "gpt-5.5-pro"):
        yield from (("openai", "gpt_6_astra", host + name) for host in ("openai/", "azure/", "azure_ai/"))
    yield ("openai", "gpt_6", "azure/a-gpt-of-ours")
    for name in ("claude-opus-5-5", "claude-fable-5-1", "claude-saga-7"):
        yield ("anthropic", "claude_5_5", f"anthropic/{name}")
        yield ("anthropic", "claude_5_5", f"vertex_ai/{name}")
        yield ("anthropic", "claude_5_5", f"azure_ai/{name}")
        yield ("anthropic", "claude_5_5", f"bedrock_invoke/us.anthropic.{name}")
        yield ("bedrock", "bedrock_claude_5_5", f"bedrock/us.anthropic.{name}")
        yield ("anthropic", "claude_5_5", f"databricks/databricks-{name}")
    yield ("anthropic", "claude_5_5", "azure_ai/a-claude-of-ours")
    yield ("bedrock", "bedrock_claude_5_5", "bedrock/arn:aws:bedrock:eu-central-1:1:application-inference-profile/abc")


@pytest.mark.parametrize(("vendor", "schema", "model"), tuple(newest()))
@WAYS
def test_the_newest_models_wherever_they_are(
    desk: Desk, key: str, upstream: FakeUpstream, vendor: str, schema: str, model: str, stream: bool
) -> None:
    """With all that older ones took and these refuse; deployments and profiles are what `gateway.toml` says that they are."""
    talk = Talk(desk, key, model, stream=stream)
    talk.messages = [{"role": "user", "content": "Where is it warmer?"}]
    asked: JSON = {
        "temperature": 0.2,
        "top_p": 0.9,
        "max_tokens": 2_000,
        "presence_penalty": 0.1,
        "extra_body": {"drop_params": True},
    }
    upstream.answers(plays(vendor, schema, CALLED))
    message = talk.ask(tools=TOOLS, tool_choice="required", reasoning_effort="high", stop=["END"], **asked)
    assert talk.answer_calls(message) == [arguments for _, arguments in CALLED.calls]
    upstream.answers(plays(vendor, schema, SAID))
    assert talk.ask(tools=TOOLS, **asked).content == SAID.text
    talk.messages += [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "It"}]
    assert talk.ask(reasoning_effort="low", **asked).content == SAID.text
    assert talk.ask(response_format=FORMAT, reasoning_effort="none", **asked).content == SAID.text


@pytest.mark.parametrize("model", ["openai/gpt-6-astra", "azure/a-gpt-of-ours", "azure_ai/gpt-6-sol"])
def test_a_limit_that_a_budget_sets_has_the_name_that_the_model_takes(desk: Desk, upstream: FakeUpstream, model: str) -> None:
    upstream.answers(plays("openai", "gpt_6", SAID))
    talk = Talk(desk, desk.key(max_budget=5), model, stream=False)
    talk.messages = [{"role": "user", "content": "Hi"}]
    assert talk.ask().content == SAID.text
    assert upstream.calls[-1].json["max_completion_tokens"] > 0


@pytest.mark.parametrize(
    ("vendor", "model", "path"),
    [
        ("gemini", "gemini/models/gemini-2.5-flash", "/models/gemini-2.5-flash:generateContent"),
        ("bedrock", "bedrock/converse/us.amazon.nova-pro-v1:0", "/model/us.amazon.nova-pro-v1%3A0/converse"),
        ("bedrock", "bedrock/invoke/us.anthropic.claude-opus-5-5", "/model/us.anthropic.claude-opus-5-5/converse"),
    ],
)
def test_a_name_as_others_spell_it(desk: Desk, key: str, upstream: FakeUpstream, vendor: str, model: str, path: str) -> None:
    """https://docs.litellm.ai/docs/providers/bedrock, https://ai.google.dev/api/models: what `list` calls its models."""
    upstream.answers(answer(vendor, SAID, stream=False))
    talk = Talk(desk, key, model, stream=False)
    talk.messages = [{"role": "user", "content": "Hi"}]
    assert talk.ask().content == SAID.text
    assert upstream.calls[-1].path.removeprefix("/v1") == path
