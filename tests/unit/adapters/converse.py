"""What botocore's own model of Bedrock says of a Converse body, and requests of every kind to ask it about."""

import json

from hypothesis import strategies as st

from haimaker.adapters.bedrock import chat
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import parse_chat
from tests.support import vendor_schemas

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def sent(body: JSON, attempt: Attempt) -> UpstreamRequest:
    return chat.to_upstream(parse_chat(json.dumps({"model": attempt.target, **body}).encode()), attempt)


def converse_body(body: JSON, attempt: Attempt) -> JSON:
    """The body that is sent, after neither botocore nor the guide has found anything wrong with it."""
    made: JSON = json.loads(sent(body, attempt).body)
    vendor_schemas.bedrock(made)
    return made


words = st.sampled_from(["", " ", "Hi", "Grüezi\n", "{}", "null", '{"a": 1}', "[1]"])
marks = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}])
parts = st.one_of(
    st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, words, marks),
    st.just({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}}),
    st.just({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "../etc/passwd.pdf"}}),
    st.just({"type": "file", "file": {"file_data": "data:text/csv;base64,YSxi"}}),
    st.just({"type": "video_url", "video_url": {"url": "s3://bucket/film.mp4"}}),
    st.just({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
)
ids = st.sampled_from(["call_1", "call_2", "call 3", "x" * 90, "tooluse_bpe71yCfRu2b5i-nKGDr5g"])
calls = st.builds(
    lambda id, name, arguments: {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}},
    ids,
    st.sampled_from(["add", "mcp.server/tool", "größe"]),
    st.sampled_from(["", "{}", '{"a": [1, {"b": null}]}', "null"]),
)
messages = st.one_of(
    st.builds(lambda role, content: {"role": role, "content": content}, st.sampled_from(["user", "system", "developer"]), words),
    st.builds(lambda content: {"role": "user", "content": content}, st.lists(parts, max_size=4)),
    st.builds(lambda content: {"role": "assistant", "content": content}, words),
    st.builds(lambda found: {"role": "assistant", "content": None, "tool_calls": found}, st.lists(calls, min_size=1, max_size=3)),
    st.builds(lambda id, content: {"role": "tool", "tool_call_id": id, "content": content}, ids, words),
    st.builds(
        lambda id, content: {"role": "tool", "tool_call_id": id, "content": content},
        ids,
        st.lists(parts.filter(lambda part: part["type"] == "text")),
    ),
)
recursive = {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}
parameters = st.sampled_from([None, {}, {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": recursive}])
tools = st.builds(
    lambda name, found, mark: {
        "type": "function",
        "function": {"name": name, "parameters": found, "description": " ", "strict": True},
        **mark,
    },
    st.sampled_from(["add", "mcp.server/tool"]),
    parameters,
    marks,
)
number = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
schemas = st.sampled_from(
    [{"type": "text"}, {"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "number", "schema": number}}]
)
requests = st.fixed_dictionaries(
    {"messages": st.lists(messages, min_size=1, max_size=8)},
    optional={
        "tools": st.lists(tools, max_size=3),
        "tool_choice": st.sampled_from(["auto", "none", "required"]),
        "parallel_tool_calls": st.booleans(),
        "response_format": schemas,
        "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
        "max_tokens": st.integers(1, 10_000),
        "temperature": st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 100),
        "stop": st.sampled_from(["", "END", ["a", "", "b"]]),
        "service_tier": st.sampled_from(["auto", "default", "flex", "scale"]),
        "seed": st.integers(),
        "stream": st.booleans(),
    },
)
