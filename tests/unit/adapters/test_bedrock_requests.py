"""What Bedrock is sent: right by botocore's own model, and by what the guides say beyond it."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haimaker.adapters.bedrock import schemas, tool_ids
from haimaker.adapters.bedrock.families import family_of
from haimaker.adapters.bedrock.messages import ATTACHED, CONTINUE
from haimaker.adapters.bedrock.tools import JSON_TOOL
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from tests.support.builders import MESSAGES, attempt
from tests.unit.adapters.converse import PIXEL, converse_body, requests, sent

SONNET = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
OLDER = "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0"
OPUS = "bedrock/us.anthropic.claude-opus-4-7"
NOVA = "bedrock/us.amazon.nova-2-lite-v1:0"
MISTRAL = "bedrock/mistral.mistral-large-2407-v1:0"
LLAMA = "bedrock/meta.llama4-scout-17b-instruct-v1:0"
GPT = "bedrock/openai.gpt-oss-120b-1:0"
PROFILE = "bedrock/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
MODELS = [SONNET, OLDER, OPUS, NOVA, MISTRAL, LLAMA, GPT, PROFILE]

TOOL = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {}}}}
OTHER = {"type": "function", "function": {"name": "sub"}}
CALL = {"id": "tooluse_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
CALLED = [*MESSAGES, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
RESULT = {"role": "tool", "tool_call_id": "tooluse_1", "content": "2"}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "number", "schema": SCHEMA}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Add them.", "signature": "c2ln"}}}


def body_of(target: str = SONNET, **fields: Any) -> JSON:
    return converse_body({"messages": MESSAGES, **fields}, attempt(target))


def dropped(target: str = SONNET, **fields: Any) -> tuple[str, ...]:
    return sent({"messages": MESSAGES, **fields}, attempt(target)).dropped


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests, st.sampled_from(MODELS))
def test_botocore_takes_whatever_is_sent(body: JSON, target: str) -> None:
    converse_body({**body, "drop_params": True}, attempt(target))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (SONNET, "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"),
        (PROFILE, "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fa1b2c3/converse"),
    ],
)
def test_paths(target: str, path: str) -> None:
    assert sent({"messages": MESSAGES}, attempt(target)).path == path
    assert sent({"messages": MESSAGES, "stream": True}, attempt(target)).path == path + "-stream"


@pytest.mark.parametrize(
    ("messages", "system", "turns"),
    [
        ([{"role": "system", "content": "A"}, {"role": "developer", "content": "B"}, *MESSAGES], ["A", "B"], [["Hi"]]),
        ([*MESSAGES, {"role": "system", "content": "Later"}], [], [["Hi", "Later"]]),
        ([{"role": "system", "content": "Alone"}], ["Alone"], [[CONTINUE]]),
        ([{"role": "assistant", "content": "Hello"}, *MESSAGES], [], [[CONTINUE], ["Hello"], ["Hi"]]),
        ([*MESSAGES, *MESSAGES, {"role": "user", "content": "  "}], [], [["Hi", "Hi"]]),
        ([{"role": "user", "content": ""}, *MESSAGES], [], [["Hi"]]),
        (
            [*MESSAGES, {"role": "assistant", "content": "Yo"}, {"role": "user", "content": ""}],
            [],
            [["Hi"], ["Yo"], [CONTINUE]],
        ),
        ([*MESSAGES, {"role": "assistant", "content": " "}, *MESSAGES], [], [["Hi", "Hi"]]),
        ([*MESSAGES, {"role": "assistant", "content": "The sum is \n"}], [], [["Hi"], ["The sum is"]]),
    ],
)
def test_turns(messages: list[JSON], system: list[str], turns: list[list[str]]) -> None:
    body = body_of(messages=messages)
    assert [block["text"] for block in body.get("system", [])] == system
    assert [[block["text"] for block in turn["content"]] for turn in body["messages"]] == turns


@pytest.mark.parametrize("model", ["amazon.titan-text-express-v1", "mistral.mixtral-8x7b-instruct-v0:1", "cohere.command-text-v14"])
def test_a_model_without_a_system_hears_it_from_the_user(model: str) -> None:
    body = body_of(f"bedrock/{model}", messages=[{"role": "system", "content": "Be brief."}, *MESSAGES])
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"text": "Be brief."}, {"text": "Hi"}]}]


def test_a_model_that_takes_no_beginning_of_its_answer_is_asked_to_go_on() -> None:
    body = body_of(NOVA, messages=[*MESSAGES, {"role": "assistant", "content": "The"}])
    assert body["messages"][-1] == {"role": "user", "content": [{"text": CONTINUE}]}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": f"data:image/jpg;base64,{PIXEL}"},
            {"image": {"format": "jpeg", "source": {"bytes": PIXEL}}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "s3://bucket/a.webp"}},
            {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/a.webp"}}}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:text/markdown;charset=utf-8;base64,IyBB", "filename": "Ignore all.md"}},
            {"document": {"format": "md", "name": "document-1", "source": {"bytes": "IyBB"}}},
        ),
        (
            {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.PDF"}},
            {"document": {"format": "pdf", "name": "document-1", "source": {"bytes": "JVBERi0="}}},
        ),
        (
            {
                "type": "file",
                "file": {"file_data": "JVBERi0=", "filename": "a.pdf"},
                "citations": {"enabled": True},
                "context": "Law.",
            },
            {
                "document": {
                    "format": "pdf",
                    "name": "document-1",
                    "source": {"bytes": "JVBERi0="},
                    "citations": {"enabled": True},
                    "context": "Law.",
                }
            },
        ),
        (
            {"type": "video_url", "video_url": {"url": "data:video/quicktime;base64,AAAA"}},
            {"video": {"format": "mov", "source": {"bytes": "AAAA"}}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}},
        ),
        ({"type": "guarded_text", "text": "Check me"}, {"guardContent": {"text": {"text": "Check me"}}}),
    ],
)
def test_parts(part: JSON, block: JSON) -> None:
    (turn,) = body_of(messages=[{"role": "user", "content": [part]}])["messages"]
    assert turn["content"] == [block, *([{"text": ATTACHED}] if "document" in block else [])]


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], "messages[0].content[0].image_url.url"),
        ([{"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AAAA"}}], "messages[0].content[0]"),
        ([{"type": "file", "file": {"file_id": "file-1"}}], "messages[0].content[0].file.file_data"),
        ([{"type": "file", "file": {"file_data": "data:application/zip;base64,AAAA"}}], "messages[0].content[0].file"),
        ([{"type": "text", "text": "Hi"}, {"type": "hologram"}], "messages[0].content[1].type"),
        ([{"type": "text", "text": 1}], "messages[0].content[0].text"),
    ],
)
def test_parts_that_are_refused(content: list[JSON], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        body_of(messages=[{"role": "user", "content": content}])
    assert caught.value.param == param


def test_results_of_tools_come_first_and_each_once() -> None:
    calls = [CALL, {**CALL, "id": "bad id"}]
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    messages = [
        *MESSAGES,
        {"role": "assistant", "content": "Adding.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "bad id", "content": [{"type": "text", "text": "3"}, image]},
        {"role": "user", "content": "And?"},
        {**RESULT, "content": ""},
    ]
    _, called, answered = body_of(messages=messages, tools=[TOOL])["messages"]
    assert [next(iter(block)) for block in called["content"]] == ["text", "toolUse", "toolUse"]
    assert [next(iter(block)) for block in answered["content"]] == ["toolResult", "toolResult", "text"]
    first, second = (block["toolResult"] for block in answered["content"][:2])
    assert [first["toolUseId"], second["toolUseId"]] == [called["content"][2]["toolUse"]["toolUseId"], "tooluse_1"]
    assert [next(iter(block)) for block in first["content"]] == ["text", "image"]
    assert second["content"] == [{"text": "No output."}]


@pytest.mark.parametrize(
    ("target", "fields", "asks"),
    [
        (SONNET, {"reasoning_effort": "low"}, True),
        (SONNET, {"thinking": {"type": "disabled"}}, False),
        (SONNET, {}, False),
        (GPT, {"reasoning_effort": "low"}, False),
    ],
)
def test_what_claude_counts_of_its_thinking_is_asked_for(target: str, fields: JSON, asks: bool) -> None:
    assert body_of(target, **fields).get("additionalModelResponseFieldPaths") == (
        ["/usage/output_tokens_details"] if asks else None
    )


@pytest.mark.parametrize(
    ("target", "choice", "names", "converse"),
    [
        (SONNET, None, ["add", "sub"], None),
        (SONNET, "auto", ["add", "sub"], {"auto": {}}),
        (SONNET, "required", ["add", "sub"], {"any": {}}),
        (SONNET, {"type": "function", "function": {"name": "sub"}}, ["add", "sub"], {"tool": {"name": "sub"}}),
        (MISTRAL, {"type": "function", "function": {"name": "sub"}}, ["sub"], {"any": {}}),
        (SONNET, {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER]}}, ["sub"], {"any": {}}),
        (SONNET, "none", [], None),
    ],
)
def test_choices_of_tools(target: str, choice: Any, names: list[str], converse: JSON | None) -> None:
    config = body_of(target, tools=[TOOL, OTHER], tool_choice=choice).get("toolConfig", {"tools": []})
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == names
    assert config.get("toolChoice") == converse


def test_a_model_that_can_not_be_made_to_call_refuses() -> None:
    with pytest.raises(BadRequestError) as caught:
        body_of(LLAMA, tools=[TOOL], tool_choice="required")
    assert (caught.value.param, caught.value.code) == ("tool_choice", "unsupported_parameter")
    assert dropped(LLAMA, tools=[TOOL], tool_choice="required", drop_params=True) == ("tool_choice",)


@pytest.mark.parametrize(
    ("choice", "own"),
    [
        ("auto", {"type": "auto", "disable_parallel_tool_use": True}),
        ({"type": "function", "function": {"name": "add"}}, {"type": "tool", "name": "add", "disable_parallel_tool_use": True}),
    ],
)
def test_one_call_at_a_time(choice: Any, own: JSON) -> None:
    body = body_of(tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)
    assert body["additionalModelRequestFields"] == {"tool_choice": own}
    assert "toolChoice" not in body["toolConfig"]
    assert "parallel_tool_calls" in dropped(NOVA, tools=[TOOL], parallel_tool_calls=False)


def test_tools_of_the_past_are_declared() -> None:
    config = body_of(messages=[*CALLED, RESULT])["toolConfig"]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["add"]
    none = body_of(messages=[*CALLED, RESULT], tools=[TOOL], tool_choice="none")
    assert none["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}


@pytest.mark.parametrize(
    ("target", "fields", "config", "output"),
    [
        (
            SONNET,
            {"response_format": FORMAT},
            None,
            {**SCHEMA, "properties": {"n": {"type": "integer"}}, "additionalProperties": False},
        ),
        (OLDER, {"response_format": FORMAT}, ([JSON_TOOL], {"tool": {"name": JSON_TOOL}}), None),
        (OLDER, {"response_format": FORMAT, "tools": [TOOL]}, (["add", JSON_TOOL], {"any": {}}), None),
        (SONNET, {"response_format": {"type": "json_object"}}, ([JSON_TOOL], {"tool": {"name": JSON_TOOL}}), None),
        (LLAMA, {"response_format": FORMAT}, ([JSON_TOOL], None), None),
        (SONNET, {"response_format": {"type": "text"}}, None, None),
    ],
)
def test_answers_in_json(target: str, fields: JSON, config: tuple[list[str], JSON | None] | None, output: JSON | None) -> None:
    body = body_of(target, **fields)
    tools = body.get("toolConfig")
    assert (tools and ([tool["toolSpec"]["name"] for tool in tools["tools"]], tools.get("toolChoice"))) == config
    native = body.get("outputConfig")
    assert (native and json.loads(native["textFormat"]["structure"]["jsonSchema"]["schema"])) == output


ENABLED = {"type": "enabled", "budget_tokens": 2048}
ADAPTIVE = {"thinking": {"type": "adaptive", "display": "summarized"}}


@pytest.mark.parametrize(
    ("target", "fields", "inference", "own", "lost"),
    [
        (
            SONNET,
            {"max_tokens": 5, "temperature": 0.5, "stop": ["a", ""]},
            {"maxTokens": 5, "temperature": 0.5, "stopSequences": ["a"]},
            {},
            (),
        ),
        (SONNET, {"max_completion_tokens": 5, "stop": "a"}, {"maxTokens": 5, "stopSequences": ["a"]}, {}, ()),
        (SONNET, {"top_k": 3, "anthropic_beta": ["a"]}, {}, {"top_k": 3, "anthropic_beta": ["a"]}, ()),
        (SONNET, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, {}, ("top_p",)),
        (OLDER, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "topP": 0.9}, {}, ()),
        (SONNET, {"reasoning_effort": "medium"}, {}, {"thinking": ENABLED}, ()),
        (
            SONNET,
            {"reasoning_effort": "high", "max_tokens": 2000},
            {"maxTokens": 2000},
            {"thinking": {**ENABLED, "budget_tokens": 1999}},
            (),
        ),
        (SONNET, {"reasoning_effort": "low", "max_tokens": 1000}, {"maxTokens": 1000}, {}, ("reasoning_effort",)),
        (SONNET, {"reasoning_effort": "none"}, {}, {}, ()),
        (SONNET, {"thinking": ENABLED, "temperature": 0.5, "top_k": 3}, {}, {"thinking": ENABLED}, ("temperature", "top_k")),
        (OPUS, {"reasoning_effort": "minimal"}, {}, {**ADAPTIVE, "output_config": {"effort": "low"}}, ()),
        (OPUS, {"reasoning_effort": "max", "temperature": 1}, {}, {**ADAPTIVE, "output_config": {"effort": "max"}}, ()),
        (OPUS, {"temperature": 0.5, "top_p": 0.5}, {}, {}, ("temperature", "top_p")),
        (NOVA, {"top_k": 3}, {}, {"inferenceConfig": {"topK": 3}}, ()),
        (NOVA, {"reasoning_effort": "low"}, {}, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}, ()),
        (NOVA, {"reasoning_effort": "none"}, {}, {"reasoningConfig": {"type": "disabled"}}, ()),
        (
            NOVA,
            {"reasoning_effort": "high", "temperature": 1},
            {},
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
            ("temperature",),
        ),
        (
            NOVA,
            {"reasoning_effort": "high", "max_tokens": 9},
            {"maxTokens": 9},
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}},
            ("reasoning_effort",),
        ),
        (GPT, {"reasoning_effort": "low"}, {}, {"reasoning_effort": "low"}, ()),
        (LLAMA, {"reasoning_effort": "low", "user": "me", "seed": 1, "n": 1}, {}, {}, ("user", "seed", "reasoning_effort")),
    ],
)
def test_parameters(target: str, fields: JSON, inference: JSON, own: JSON, lost: tuple[str, ...]) -> None:
    body = body_of(target, **fields)
    assert body.get("inferenceConfig", {}) == inference
    assert body.get("additionalModelRequestFields", {}) == own
    assert dropped(target, **fields) == lost


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"service_tier": "flex"}, {"serviceTier": {"type": "flex"}}),
        ({"service_tier": "auto"}, {}),
        (
            {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled"}},
            {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled"}},
        ),
        (
            {"guardrail_config": {"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "disabled"}},
            {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled"}},
        ),
        (
            {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled_full"}},
            {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled_full"}},
        ),
        ({"request_metadata": {"team": "a"}}, {"requestMetadata": {"team": "a"}}),
        ({"performanceConfig": {"latency": "optimized"}}, {"performanceConfig": {"latency": "optimized"}}),
    ],
)
def test_the_vendors_own_parameters(fields: JSON, found: JSON) -> None:
    assert {name: value for name, value in body_of(**fields).items() if name != "messages"} == found


@pytest.mark.parametrize("fields", [{"n": 2}, {"logprobs": True}, {"logit_bias": {"1": 1}}, {"web_search_options": {"a": 1}}])
def test_what_changes_the_meaning_is_refused(fields: JSON) -> None:
    with pytest.raises(BadRequestError) as caught:
        body_of(**fields)
    assert (caught.value.param, caught.value.code) == (next(iter(fields)), "unsupported_parameter")
    assert dropped(**fields, drop_params=True) == tuple(fields)


@pytest.mark.parametrize("fields", [{"presence_penalty": 1}, {"frequency_penalty": -0.5}, {"seed": 7}])
def test_what_claude_loses_at_anthropic_is_lost_here_too_and_named(fields: JSON) -> None:
    assert dropped(**fields) == tuple(fields)


def test_a_limit_of_ours_is_sent_when_the_client_has_none() -> None:
    ours = attempt(SONNET, max_output_tokens=77)
    assert converse_body({"messages": MESSAGES}, ours)["inferenceConfig"] == {"maxTokens": 77}
    assert converse_body({"messages": MESSAGES, "max_tokens": 5}, ours)["inferenceConfig"] == {"maxTokens": 5}


def test_marks_for_the_cache() -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    fields = {
        "messages": [
            {"role": "system", "content": "A", **mark},
            {"role": "user", "content": [{"type": "text", "text": "B", **mark}]},
        ]
    }
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    body = body_of(**fields, tools=[{**TOOL, **mark}])
    assert [body["system"][-1], body["messages"][0]["content"][-1], body["toolConfig"]["tools"][-1]] == [point] * 3
    assert "cachePoint" not in json.dumps(body_of(LLAMA, **fields, tools=[{**TOOL, **mark}]))


@pytest.mark.parametrize("keeps", ["id", "blocks", "content"])
def test_reasoning_before_a_call_comes_back(keeps: str) -> None:
    carried = tool_ids.with_blocks("tooluse_1", "claude", [THOUGHT])
    shown = {"type": "thinking", "thinking": "Add them.", "signature": "c2ln"}
    assistant: JSON = {
        "role": "assistant",
        "content": "Well.",
        "tool_calls": [{**CALL, "id": carried if keeps == "id" else "tooluse_1"}],
    }
    if keeps == "blocks":
        assistant["thinking_blocks"] = [{"index": 0, **shown}]
    elif keeps == "content":
        assistant["content"] = [shown, {"type": "text", "text": "Well."}]
    messages = [*MESSAGES, assistant, {**RESULT, "tool_call_id": assistant["tool_calls"][0]["id"]}]
    body = body_of(messages=messages, tools=[TOOL], reasoning_effort="low")
    called, answered = body["messages"][1]["content"], body["messages"][2]["content"]
    assert called == [THOUGHT, {"text": "Well."}, {"toolUse": {"toolUseId": "tooluse_1", "name": "add", "input": {"a": 1}}}]
    assert answered[0]["toolResult"]["toolUseId"] == "tooluse_1"
    assert body["additionalModelRequestFields"]["thinking"]["type"] == "enabled"
    if keeps == "id":
        assert "reasoningContent" not in json.dumps(body_of(NOVA, messages=messages, tools=[TOOL]))


def test_thinking_gives_way_where_it_would_be_refused() -> None:
    lost = {"messages": [*CALLED, RESULT], "tools": [TOOL], "reasoning_effort": "low"}
    forced = {"tools": [TOOL], "tool_choice": "required", "thinking": ENABLED}
    for fields, name in ((lost, "reasoning_effort"), (forced, "thinking")):
        assert "thinking" not in body_of(**fields).get("additionalModelRequestFields", {})
        assert dropped(**fields) == (name,)


def test_ids_and_names_in_the_vendors_alphabet() -> None:
    messages = [*MESSAGES, {"role": "assistant", "tool_calls": [CALL]}, RESULT]
    turns = body_of(MISTRAL, messages=messages, tools=[TOOL])["messages"]
    short = turns[1]["content"][0]["toolUse"]["toolUseId"]
    assert len(short) == 9
    assert turns[2]["content"][0]["toolResult"]["toolUseId"] == short
    with pytest.raises(BadRequestError, match="64"):
        body_of(tools=[{"type": "function", "function": {"name": "x" * 65}}])


@given(st.text(min_size=1, max_size=30))
def test_names_come_back(name: str) -> None:
    made = tool_ids.to_name(name)
    assert tool_ids.from_name(made) == name
    assert made.isascii()


@given(st.text(max_size=40), st.text(max_size=40))
def test_ids_carry_blocks_and_nothing_is_taken_for_one(tool_id: str, junk: str) -> None:
    plain, blocks = tool_ids.without_blocks(tool_ids.with_blocks(f"a{len(tool_id)}", "claude", [THOUGHT]), "claude")
    assert (plain, blocks) == (f"a{len(tool_id)}", [THOUGHT])
    assert tool_ids.without_blocks(tool_id.replace("_", "") + tool_ids.MARK + junk, "claude")[1] == []


def test_a_schema_that_contains_itself_is_inlined_once() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}},
    }
    assert schemas.inline(schema) == {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}}


def test_a_schema_that_would_explode_stays() -> None:
    doubling = {f"D{level}": {"type": "array", "items": [{"$ref": f"#/$defs/D{level + 1}"}] * 2} for level in range(40)}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/D0"}}, "$defs": doubling}
    assert schemas.inline(schema) == schema


def test_nova_gets_a_schema_with_nothing_else_at_its_top() -> None:
    nova = family_of(attempt("bedrock/us.amazon.nova-pro-v1:0"))
    schema = schemas.for_tool({**SCHEMA, "title": "A", "additionalProperties": False}, nova)
    assert set(schema) == {"type", "properties", "required"}


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("us.anthropic.claude-opus-4-7", "claude"),
        ("claude-sonnet-4-5-20250929-v1:0", "claude"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-lite-v1:0", "nova"),
        ("amazon.nova-2-lite-v1:0", "nova-2"),
        ("mistral.mistral-large-2402-v1:0", "mistral"),
        ("global.xai.grok-4.6", "xai"),
        ("deepseek.r1-v1:0", "other"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", "untold"),
    ],
)
def test_families(model: str, family: str) -> None:
    assert family_of(attempt(f"bedrock/{model}")).name == family
