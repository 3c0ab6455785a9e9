"""Streams as this year's models make them, by their vendors' pages, folded by the official SDK: nothing that they mean is lost.

No recordings: shapes that recordings of older models do not have. Each is read in one piece and byte by byte.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from haimaker.http import eventstream, sse
from haimaker.http.values import JSON
from tests.support import event_messages
from tests.support.builders import chat_request
from tests.support.reply import dumps
from tests.wire import case as wire


@dataclass(frozen=True)
class Stream:
    name: str
    target: str
    events: list[Any]
    """JSON bodies; bytes as they are; pairs of a name and a body in AWS's format."""
    message: JSON
    """What the client's message has, among others."""
    finish: str = "stop"
    used: tuple[int, int] = (20, 10)
    """Tokens of the prompt and of the completion."""
    asked: JSON = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def delta(reason: str | None = None, **said: Any) -> JSON:
    choice = {"index": 0, "delta": said, "finish_reason": reason}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "m", "choices": [choice]}


def used(**more: Any) -> JSON:
    return {"usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30, **more}}


def last(**more: Any) -> JSON:
    return {**delta(), "choices": [], **used(**more)}


def call(index: int | None, id_: str | None, name: str | None, arguments: str | None) -> JSON:
    place = {} if index is None else {"index": index}
    return {**place, "id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def called(*calls: tuple[str, str]) -> list[JSON]:
    return [{"function": {"name": name, "arguments": arguments}} for name, arguments in calls]


def cited(url: str, start: int, end: int, title: str) -> JSON:
    place = {"url": url, "start_index": start, "end_index": end, "title": title}
    return {"type": "url_citation", "url_citation": place}


def claudes(*blocks: tuple[JSON, list[JSON]], reason: str = "end_turn", usage: JSON | None = None) -> list[JSON]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "stop_reason": None}
    events: list[Any] = [{"type": "message_start", "message": {**message, "usage": {"input_tokens": 20, "output_tokens": 1}}}]
    events.append({"type": "ping"})
    for index, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": each} for each in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage or {"output_tokens": 10}})
    return [*events, {"type": "message_stop"}]


def google(*parts: JSON, **fields: Any) -> JSON:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0, **fields}
    usage = {"promptTokenCount": 20, "candidatesTokenCount": 6, "thoughtsTokenCount": 4, "totalTokenCount": 30}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini", "responseId": "r1"}


def responds(*items: tuple[JSON, list[JSON]], **fields: Any) -> list[JSON]:
    head = {"id": "resp_1", "object": "response", "created_at": 1_790_000_000, "model": "m", "error": None}
    events: list[JSON] = [{"type": "response.created", "response": {**head, "status": "in_progress", "output": []}}]
    for place, (item, between) in enumerate(items):
        begun = {**item, **{name: [] for name in ("content", "summary") if name in item}}
        events.append({"type": "response.output_item.added", "output_index": place, "item": begun})
        events += [{"output_index": place, "item_id": item["id"], **each} for each in between]
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
        events.append({"type": "keepalive", "sequence_number": place})
    usage = {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30}
    whole = {**head, "status": "completed", "output": [item for item, _ in items], "usage": usage, **fields}
    return [*events, {"type": f"response.{whole['status']}", "response": whole}]


def written(id_: str, text: str, **fields: Any) -> tuple[JSON, list[JSON]]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    pieces = [
        {"type": "response.output_text.delta", "content_index": 0, "delta": piece, "logprobs": []} for piece in (text[:2], text[2:])
    ]
    done = {"type": "response.output_text.done", "content_index": 0, "text": text}
    return {"id": id_, "type": "message", "role": "assistant", "content": [part], **fields}, [*pieces, done]


def converse(*events: tuple[str, JSON], reason: str = "end_turn") -> list[tuple[str, JSON]]:
    usage = {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30}
    end = [("messageStop", {"stopReason": reason}), ("metadata", {"usage": usage, "metrics": {"latencyMs": 7}})]
    return [("messageStart", {"role": "assistant"}), *events, *end]


def piece(index: int, **said: Any) -> tuple[str, JSON]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": said}


def stop(index: int) -> tuple[str, JSON]:
    return "contentBlockStop", {"contentBlockIndex": index}


PAGE = "https://a.example/aare"
NOTE = {"type": "url_citation", "url_citation": {"url": PAGE, "start_index": 0, "end_index": 4, "title": "Aare"}}
THOUGHT = {"type": "thinking", "thinking": "", "signature": ""}
TEXT = {"type": "text", "text": ""}
SERVER_TOOL = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result", "url": PAGE}]}
LOCATION = {"type": "web_search_result_location", "url": PAGE, "title": "Aare", "encrypted_index": "x", "cited_text": "It flows"}
STREAMS = [
    # https://platform.openai.com/docs/guides/tools-web-search: of models that search in chat completions.
    Stream(
        "openai search",
        "openai/gpt-5-search-api",
        [
            delta(role="assistant", content="", refusal=None),
            delta(content="Aare"),
            delta(annotations=[NOTE]),
            delta("stop"),
            last(),
        ],
        {"content": "Aare", "annotations": [NOTE]},
    ),
    # https://platform.openai.com/docs/guides/audio
    Stream(
        "openai audio",
        "openai/gpt-audio",
        [
            delta(role="assistant", content=None, refusal=None, audio={"id": "audio_1", "transcript": "Gr"}),
            delta(audio={"transcript": "üezi"}),
            delta(audio={"data": "AAAA"}),
            delta(audio={"data": "BBBB"}),
            delta(audio={"expires_at": 1_790_000_300}),
            delta("stop"),
            last(completion_tokens_details={"audio_tokens": 8}),
        ],
        {"audio": {"id": "audio_1", "transcript": "Grüezi", "data": "AAAABBBB", "expires_at": 1_790_000_300}},
    ),
    Stream(
        "openai refusal and log probabilities",
        "openai/gpt-4o",
        [
            delta(role="assistant", content=None, refusal=""),
            {
                **delta(),
                "choices": [
                    {
                        **delta(refusal="No")["choices"][0],
                        "logprobs": {
                            "content": None,
                            "refusal": [{"token": "No", "bytes": None, "logprob": -0.1, "top_logprobs": []}],
                        },
                    }
                ],
            },
            delta(refusal=", thanks."),
            delta("stop"),
            last(),
        ],
        {"refusal": "No, thanks.", "content": None},
    ),
    # https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter
    Stream(
        "azure filters",
        "azure/gpt-4o",
        [
            {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
            delta(role="assistant", content="", refusal=None),
            {**delta(content="Aa"), "usage": None, "obfuscation": "xyz"},
            {**delta(content="re"), "usage": None, "obfuscation": "x"},
            {**delta(), "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"end_offset": 3}}]},
            delta("content_filter"),
            last(),
        ],
        {"content": "Aare"},
        finish="content_filter",
    ),
    # https://platform.openai.com/docs/guides/reasoning, …/api-reference/responses-streaming
    Stream(
        "responses, two phases, two summaries",
        "openai/gpt-5.5-pro",
        responds(
            (
                {
                    "id": "rs_1",
                    "type": "reasoning",
                    "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}],
                    "encrypted_content": "gAAA",
                },
                [
                    {
                        "type": "response.reasoning_summary_part.added",
                        "summary_index": 0,
                        "part": {"type": "summary_text", "text": ""},
                    },
                    {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "First."},
                    {"type": "response.reasoning_summary_text.done", "summary_index": 0, "text": "First."},
                    {
                        "type": "response.reasoning_summary_part.added",
                        "summary_index": 1,
                        "part": {"type": "summary_text", "text": ""},
                    },
                    {"type": "response.reasoning_summary_text.delta", "summary_index": 1, "delta": "Then."},
                ],
            ),
            written("msg_1", "I look. ", phase="commentary"),
            ({"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "aare"}}, []),
            written("msg_2", "It flows.", phase="final_answer"),
        ),
        {"content": "I look. It flows.", "reasoning_content": "First.\n\nThen."},
    ),
    Stream(
        "responses, refusal",
        "openai/gpt-5.5-pro",
        responds(
            (
                {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No, thanks."}]},
                [{"type": "response.refusal.delta", "content_index": 0, "delta": "No, thanks."}],
            )
        ),
        {"refusal": "No, thanks."},
    ),
    Stream(
        "responses, citation",
        "openai/gpt-5.5-pro",
        responds(
            (
                {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Aare"}]},
                [
                    {"type": "response.output_text.delta", "content_index": 0, "delta": "Aare", "logprobs": []},
                    {
                        "type": "response.output_text.annotation.added",
                        "content_index": 0,
                        "annotation_index": 0,
                        "annotation": {"type": "url_citation", "url": PAGE, "start_index": 0, "end_index": 4, "title": "Aare"},
                    },
                ],
            )
        ),
        {"content": "Aare", "annotations": [NOTE]},
    ),
    Stream(
        "responses, cut by its limit in a call",
        "openai/gpt-5.5-pro",
        responds(
            (
                {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a": '},
                [{"type": "response.function_call_arguments.delta", "delta": '{"a": '}],
            ),
            status="incomplete",
            incomplete_details={"reason": "max_output_tokens"},
        ),
        {"tool_calls": called(("f", '{"a": '))},
        finish="length",
    ),
    # https://platform.claude.com/docs/en/build-with-claude/extended-thinking#interleaved-thinking, …/web-search-tool
    Stream(
        "claude, thinking between its own searches",
        "anthropic/claude-opus-5-5",
        claudes(
            (THOUGHT, [{"type": "thinking_delta", "thinking": "First."}, {"type": "signature_delta", "signature": "c2ln"}]),
            (SERVER_TOOL, [{"type": "input_json_delta", "partial_json": '{"query": "aare"}'}]),
            (FOUND, []),
            (THOUGHT, [{"type": "thinking_delta", "thinking": "Then."}, {"type": "signature_delta", "signature": "c2ln"}]),
            (TEXT, [{"type": "text_delta", "text": "So: "}]),
            (
                {**TEXT, "citations": []},
                [{"type": "citations_delta", "citation": LOCATION}, {"type": "text_delta", "text": "it flows"}],
            ),
            (TEXT, [{"type": "text_delta", "text": "."}]),
            usage={"output_tokens": 10, "server_tool_use": {"web_search_requests": 1}},
        ),
        {
            "content": "So: it flows.",
            "reasoning_content": "First.Then.",
            "annotations": [cited(PAGE, 4, 12, "Aare")],
        },
    ),
    # …/agents-and-tools/tool-use/code-execution-tool, …/extended-thinking#thinking-redaction
    Stream(
        "claude, code that it runs, thinking that is redacted or not shown",
        "anthropic/claude-opus-5-5",
        claudes(
            ({"type": "redacted_thinking", "data": "ZGF0YQ=="}, []),
            (THOUGHT, [{"type": "signature_delta", "signature": "c2ln"}]),
            (
                {"type": "server_tool_use", "id": "srvtoolu_2", "name": "bash_code_execution", "input": {}},
                [{"type": "input_json_delta", "partial_json": '{"command": "ls"}'}],
            ),
            (
                {
                    "type": "bash_code_execution_tool_result",
                    "tool_use_id": "srvtoolu_2",
                    "content": {"type": "bash_code_execution_result", "stdout": "a", "stderr": "", "return_code": 0, "content": []},
                },
                [],
            ),
            (TEXT, [{"type": "text_delta", "text": "One file."}]),
        ),
        {
            "content": "One file.",
            "thinking_blocks": [
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                {"type": "thinking", "thinking": "", "signature": "c2ln"},
            ],
        },
    ),
    # …/agents-and-tools/tool-use/fine-grained-tool-streaming
    Stream(
        "claude, cut by its limit in a call",
        "anthropic/claude-opus-5-5",
        claudes(
            (
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
                [{"type": "input_json_delta", "partial_json": ""}, {"type": "input_json_delta", "partial_json": '{"a": "Zü'}],
            ),
            reason="max_tokens",
        ),
        {"tool_calls": called(("f", '{"a": "Zü'))},
        finish="length",
    ),
    Stream(
        "claude, a call without input and one with",
        "vertex_ai/claude-opus-5-5",
        claudes(
            ({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}, []),
            (
                {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
                [{"type": "input_json_delta", "partial_json": '{"a":'}, {"type": "input_json_delta", "partial_json": " 1}"}],
            ),
            reason="tool_use",
        ),
        {"tool_calls": called(("f", "{}"), ("g", '{"a": 1}'))},
        finish="tool_calls",
    ),
    Stream(
        "claude, a window that is full",
        "bedrock_invoke/us.anthropic.claude-opus-5-5",
        [
            ("chunk", {"bytes": b64encode(dumps(event)).decode()})
            for event in claudes((TEXT, [{"type": "text_delta", "text": "Aa"}]), reason="model_context_window_exceeded")
        ],
        {"content": "Aa"},
        finish="length",
    ),
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlockDelta.html
    # https://docs.aws.amazon.com/nova/latest/nova2-userguide/web-grounding.html
    Stream(
        "nova, its own search and citations",
        "bedrock/amazon.nova-2-lite-v1:0",
        converse(
            (
                "contentBlockStart",
                {
                    "contentBlockIndex": 0,
                    "start": {"toolUse": {"toolUseId": "t", "name": "nova_grounding", "type": "server_tool_use"}},
                },
            ),
            piece(0, toolUse={"input": '{"query": "aare"}'}),
            stop(0),
            (
                "contentBlockStart",
                {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "t", "type": "nova_grounding_result"}}},
            ),
            piece(1, toolResult=[{"json": {"a": 1}}]),
            stop(1),
            piece(2, reasoningContent={"text": "I think."}),
            stop(2),
            piece(3, text="It flows"),
            piece(3, citation={"location": {"web": {"url": PAGE, "domain": "a.example"}}}),
            piece(3, text="."),
            stop(3),
        ),
        {
            "content": "It flows.",
            "reasoning_content": "I think.",
            "annotations": [cited(PAGE, 0, 9, "")],
        },
    ),
    Stream(
        "converse, redacted thinking, a call without input",
        "bedrock/us.anthropic.claude-opus-5-5",
        converse(
            piece(0, reasoningContent={"redactedContent": "ZGF0YQ=="}),
            stop(0),
            ("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "f"}}}),
            stop(1),
            reason="tool_use",
        ),
        {"tool_calls": called(("f", "{}")), "thinking_blocks": [{"type": "redacted_thinking", "data": "ZGF0YQ=="}]},
        finish="tool_calls",
    ),
    # https://ai.google.dev/gemini-api/docs/thought-signatures, …/docs/code-execution, …/docs/grounding
    Stream(
        "gemini, code and a signature at the end",
        "gemini/gemini-3.1-pro-preview",
        [
            google({"text": "First.", "thought": True}),
            google({"executableCode": {"language": "PYTHON", "code": "print(1)"}}),
            google({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
            google({"text": "One"}),
            google({"text": "."}),
            google({"text": "", "thoughtSignature": "U0lH"}, finishReason="STOP"),
        ],
        {"content": "One.", "reasoning_content": "First."},
    ),
    Stream(
        "gemini, grounding after the text",
        "vertex_ai/gemini-3.1-pro-preview",
        [
            google({"text": "Die Aare fließt."}),
            google(
                finishReason="STOP",
                groundingMetadata={
                    "webSearchQueries": ["aare"],
                    "groundingChunks": [{"web": {"uri": PAGE, "title": "Aare"}}],
                    "groundingSupports": [{"segment": {"endIndex": 17, "text": "Die Aare fließt."}, "groundingChunkIndices": [0]}],
                },
            ),
        ],
        {"content": "Die Aare fließt.", "annotations": [cited(PAGE, 0, 16, "Aare")]},
    ),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling#streaming-fc
    Stream(
        "gemini, arguments in pieces",
        "vertex_ai/gemini-3.1-pro-preview",
        [
            google({"functionCall": {"name": "f", "id": "1", "willContinue": True}, "thoughtSignature": "U0lH"}),
            google(
                {
                    "functionCall": {
                        "partialArgs": [{"jsonPath": "$.a", "stringValue": "Zü", "willContinue": True}],
                        "willContinue": True,
                    }
                }
            ),
            google({"functionCall": {"partialArgs": [{"jsonPath": "$.a", "stringValue": "rich"}], "willContinue": True}}),
            google({"functionCall": {}}, finishReason="STOP"),
        ],
        {"tool_calls": called(("f", '{"a": "Zürich"}'))},
        finish="tool_calls",
    ),
    # https://docs.cohere.com/docs/streaming
    Stream(
        "cohere, thinking and citations",
        "cohere/command-a-reasoning-08-2025",
        [
            {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant", "content": [], "citations": []}}},
            {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "thinking", "thinking": ""}}}},
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"thinking": "First."}}}},
            {"type": "content-end", "index": 0},
            {"type": "content-start", "index": 1, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
            {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "Aare"}}}},
            {"type": "content-end", "index": 1},
            {
                "type": "message-end",
                "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 20, "output_tokens": 10}}},
            },
        ],
        {"content": "Aare", "reasoning_content": "First."},
    ),
    # https://docs.mistral.ai/capabilities/reasoning, …/capabilities/citations
    Stream(
        "mistral, thinking, references and calls at once",
        "mistral/mistral-medium-2604",
        [
            delta(role="assistant", content=""),
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Fir"}], "closed": False}]),
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "st."}], "closed": True}]),
            delta(content=[{"type": "text", "text": "Aare"}, {"type": "reference", "reference_ids": [1]}]),
            {
                **delta(
                    "tool_calls", content="", tool_calls=[call(0, "abcdefghi", "f", "{}"), call(1, "abcdefghj", "g", '{"a": 1}')]
                ),
                **used(),
            },
        ],
        {"content": "Aare", "reasoning_content": "First.", "tool_calls": called(("f", "{}"), ("g", '{"a": 1}'))},
        finish="tool_calls",
    ),
    # https://api-docs.deepseek.com/guides/thinking_mode, …/quick_start/rate_limit: comments keep the connection.
    Stream(
        "deepseek, nulls and comments",
        "deepseek/deepseek-v4-pro",
        [
            b": keep-alive\n\n",
            {**delta(role="assistant", content=None, reasoning_content=""), "usage": None},
            b": keep-alive\n\n",
            {**delta(content=None, reasoning_content="First."), "usage": None},
            {**delta(content="Aare", reasoning_content=None), "usage": None},
            {**delta("stop", content="", reasoning_content=None), **used(prompt_cache_hit_tokens=5, prompt_cache_miss_tokens=15)},
        ],
        {"content": "Aare", "reasoning_content": "First."},
    ),
    # https://docs.x.ai/docs/guides/live-search, …/guides/reasoning: reasoning is counted beside the completion.
    Stream(
        "grok, reasoning beside the completion, usage in each chunk",
        "xai/grok-4.3",
        [
            delta(role="assistant", reasoning_content="First."),
            {**delta(content="Aare"), **used(completion_tokens=1, total_tokens=25)},
            {**delta("stop", content=""), "citations": [PAGE]},
            {
                **last(),
                "usage": {
                    "prompt_tokens": 20,
                    "completion_tokens": 4,
                    "total_tokens": 30,
                    "completion_tokens_details": {"reasoning_tokens": 6},
                    "num_sources_used": 1,
                },
                "citations": [PAGE],
            },
        ],
        {"content": "Aare", "reasoning_content": "First."},
    ),
    # https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks, …/features/multimodal/image-generation
    Stream(
        "openrouter, details of reasoning and an image",
        "openrouter/google/gemini-3.1-pro",
        [
            b": OPENROUTER PROCESSING\n\n",
            delta(
                role="assistant",
                content="",
                reasoning="Fir",
                reasoning_details=[{"type": "reasoning.text", "text": "Fir", "format": "google-gemini-v1", "index": 0}],
            ),
            delta(
                content="",
                reasoning="st.",
                reasoning_details=[{"type": "reasoning.text", "text": "st.", "format": "google-gemini-v1", "index": 0}],
            ),
            delta(content="Aare", images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "index": 0}]),
            {**delta("stop", content=""), **used(cost=0.01)},
        ],
        {
            "content": "Aare",
            "reasoning_content": "First.",
            "reasoning_details": [{"type": "reasoning.text", "text": "First.", "format": "google-gemini-v1", "index": 0}],
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "index": 0}],
        },
    ),
    # https://console.groq.com/docs/compound
    Stream(
        "groq, tools that it runs",
        "groq/groq/compound",
        [
            {**delta(role="assistant", content="", reasoning="First."), "x_groq": {"id": "req_1"}},
            delta(executed_tools=[{"index": 0, "type": "search", "arguments": "{}", "output": "found"}]),
            delta(content="Aare"),
            {**delta("stop"), "x_groq": {"id": "req_1", **used(queue_time=0.1)}},
        ],
        {
            "content": "Aare",
            "reasoning_content": "First.",
            "executed_tools": [{"index": 0, "type": "search", "arguments": "{}", "output": "found"}],
        },
    ),
    # https://docs.perplexity.ai/guides/chat-completions-guide
    Stream(
        "perplexity, sources and growing usage",
        "perplexity/sonar-reasoning-pro",
        [
            {
                **delta(role="assistant", content="<think>First."),
                **used(completion_tokens=1, total_tokens=21),
                "search_results": [],
            },
            {**delta(content="</think>Aare"), **used(completion_tokens=8, total_tokens=28)},
            {**delta("stop", content=""), **used(), "search_results": [{"title": "Aare", "url": PAGE, "date": None}]},
        ],
        {"content": "Aare", "reasoning_content": "First."},
    ),
    # https://platform.kimi.ai/docs/api/chat: usage in the choice.
    Stream(
        "kimi, usage in the choice",
        "moonshot/kimi-k2-thinking",
        [
            delta(role="assistant", content="", reasoning_content="First."),
            delta(tool_calls=[call(0, "f:0", "f", "")]),
            delta(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
            {**delta(), "choices": [{**delta("tool_calls")["choices"][0], **used(cached_tokens=4)}]},
        ],
        {"reasoning_content": "First.", "tool_calls": called(("f", "{}"))},
        finish="tool_calls",
    ),
    # https://www.alibabacloud.com/help/en/model-studio/qwen-function-calling: an id that is told as an empty text afterwards.
    Stream(
        "qwen, empty ids and names",
        "dashscope/qwen3.8-27b",
        [
            delta(role="assistant", content=None, reasoning_content="First."),
            delta(content=None, tool_calls=[call(0, "call_1", "f", "")]),
            delta(content=None, tool_calls=[call(0, "", "", '{"a":')]),
            delta(content=None, tool_calls=[call(0, "", None, " 1}")]),
            delta("tool_calls", content=""),
            last(),
        ],
        {"reasoning_content": "First.", "tool_calls": called(("f", '{"a": 1}'))},
        finish="tool_calls",
    ),
    # https://github.com/ollama/ollama/blob/main/openai/openai.go: each call whole, all at place 0.
    Stream(
        "ollama, calls at one place",
        "ollama/qwen3",
        [
            delta(role="assistant", content="", reasoning="First."),
            delta(role="assistant", content="", tool_calls=[call(0, "call_1", "f", "{}")]),
            delta(role="assistant", content="", tool_calls=[call(0, "call_2", "g", '{"a": 1}')]),
            delta("tool_calls", role="assistant", content=""),
            last(),
        ],
        {"reasoning_content": "First.", "tool_calls": called(("f", "{}"), ("g", '{"a": 1}'))},
        finish="tool_calls",
    ),
    # https://docs.vllm.ai/en/latest/features/reasoning_outputs/
    Stream(
        "vllm, other fields",
        "hosted_vllm/any",
        [
            {**delta(role="assistant", content="", reasoning=None), "prompt_token_ids": None},
            delta(reasoning="First."),
            {
                **delta(),
                "choices": [{**delta(content="Aare")["choices"][0], "logprobs": None, "stop_reason": None, "token_ids": None}],
            },
            delta(tool_calls=[call(None, "call_1", "f", "{}")]),
            {**delta(), "choices": [{**delta("tool_calls")["choices"][0], "stop_reason": 151_643}]},
            last(),
        ],
        {"content": "Aare", "reasoning_content": "First.", "tool_calls": called(("f", "{}"))},
        finish="tool_calls",
    ),
    # https://docs.z.ai/guides/capabilities/stream-tool
    Stream(
        "glm, a search of its own and calls in pieces",
        "zai/glm-5.1",
        [
            {**delta(role="assistant", reasoning_content="First."), "web_search": [{"title": "Aare", "link": PAGE}]},
            delta(role="assistant", content="", tool_calls=[call(0, "call_1", "f", "")]),
            delta(role="assistant", tool_calls=[call(0, "call_1", "f", '{"a": 1}')]),
            {**delta("tool_calls", role="assistant", content=""), **used()},
        ],
        {"reasoning_content": "First.", "tool_calls": called(("f", '{"a": 1}'))},
        finish="tool_calls",
    ),
    # https://platform.minimax.io/docs/api-reference/text-openai-api
    Stream(
        "minimax, details and an empty error",
        "minimax/MiniMax-M3",
        [
            delta(
                role="assistant",
                content="",
                reasoning_details=[{"type": "reasoning.text", "id": "r", "index": 0, "text": "First."}],
            ),
            {**delta(content="Aare"), "base_resp": None},
            {**delta("stop", content=""), **used(), "base_resp": {"status_code": 0, "status_msg": ""}},
        ],
        {"content": "Aare", "reasoning_content": "First."},
    ),
    # https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models
    Stream(
        "databricks, content in parts",
        "databricks/databricks-gpt-oss-120b",
        [
            delta(
                role="assistant",
                content=[{"type": "reasoning", "summary": [{"type": "summary_text", "text": "First.", "signature": ""}]}],
            ),
            delta(content=[{"type": "reasoning", "summary": [{"type": "summary_text", "text": "", "signature": "c2ln"}]}]),
            delta(content="Aare"),
            {**delta("stop", content=""), **used()},
        ],
        {"content": "Aare", "reasoning_content": "First."},
    ),
    # https://huggingface.co/docs/inference-providers/tasks/chat-completion
    Stream(
        "hugging face, an event without choices first",
        "huggingface/zai-org/GLM-5.1",
        [
            {**delta(), "choices": []},
            delta(role="assistant", content=None, reasoning="First."),
            delta(role="assistant", content="Aare", reasoning=None),
            {**delta("stop"), **used(prompt_tokens_details=None)},
        ],
        {"content": "Aare", "reasoning_content": "First."},
    ),
]


def folded(stream: Stream, size: int) -> Any:
    provider, _, model = stream.target.partition("/")
    request = chat_request(
        **{"model": stream.target, "messages": [{"role": "user", "content": "Hi"}], "stream": True, **stream.asked}
    )
    attempt = wire.attempt_at(provider, model, body=request.body)
    is_aws = isinstance(stream.events[0], tuple)
    if is_aws:
        raw, decode = event_messages.stream(stream.events), eventstream.decode
    else:
        done = b"" if attempt.provider.adapter not in ("openai", "mistral") else b"data: [DONE]\n\n"
        bodies = (event if isinstance(event, bytes) else b"data: " + dumps(event) + b"\n\n" for event in stream.events)
        raw, decode = b"".join(bodies) + done, sse.decode
    state = ChatCompletionStreamState()
    for chunk in wire.chunks(request, (raw[at : at + size] for at in range(0, len(raw), size)), attempt, decode):
        assert "error" not in chunk, chunk
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    return state.current_completion_snapshot


def matches(found: Any, expected: Any) -> bool:
    """Whether all that is expected is there; a list has as many items."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(matches(found.get(name), value) for name, value in expected.items())
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(matches, found, expected))
    return bool(found == expected)


@pytest.mark.parametrize("stream", STREAMS, ids=str)
def test_nothing_of_a_stream_is_lost(stream: Stream) -> None:
    whole, split = (folded(stream, size) for size in (10**9, 1))
    [choice] = whole.choices
    message = choice.message.model_dump()
    for name, value in stream.message.items():
        assert matches(message.get(name), value), (name, message)
    assert choice.finish_reason == stream.finish
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == stream.used
    assert split == whole
