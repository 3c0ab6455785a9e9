"""What the translations of each client format read of a request, as `unread.py` wants it. Data.

https://platform.claude.com/docs/en/api/messages  https://platform.openai.com/docs/api-reference/responses/create
https://ai.google.dev/api/generate-content
"""

from collections.abc import Mapping

from haimaker.api.formats.unread import Kinds, Table
from haimaker.operations.fields import OURS
from haimaker.routing.preferences import ROUTING_FIELDS

GATEWAYS = ROUTING_FIELDS | OURS
"""Fields that are the gateway's own in every format."""

_CITED: Table = dict.fromkeys(("type", "text", "citations"))
_SOURCE: Table = {**dict.fromkeys(("type", "data", "media_type", "url", "file_id")), "content": Kinds({"text": _CITED})}
_BLOCK_PARTS: Mapping[str, Table | None] = {
    "text": {**_CITED, "cache_control": None},
    "image": {"type": None, "source": _SOURCE, "cache_control": None},
    "document": {"type": None, "source": _SOURCE, "title": None, "cache_control": None},
    "search_result": {**dict.fromkeys(("type", "source", "title", "cache_control")), "content": Kinds({"text": _CITED})},
    "tool_reference": None,
}
BLOCKS = Kinds(
    {
        **_BLOCK_PARTS,
        **dict.fromkeys(("thinking", "redacted_thinking")),
        "tool_use": dict.fromkeys(("type", "id", "name", "input", "caller", "cache_control")),
        "tool_result": {**dict.fromkeys(("type", "tool_use_id", "is_error", "cache_control")), "content": Kinds(_BLOCK_PARTS)},
    }
)
"""The blocks of messages that are read, and what of them. What an answer cited and who called a tool says nothing to others."""
MESSAGES_FUNCTION: Table = dict.fromkeys(("type", "name", "description", "input_schema", "strict", "cache_control"))
MESSAGES_SEARCH: Table = dict.fromkeys(("type", "name", "user_location"))
MESSAGES: Table = {
    **dict.fromkeys((*GATEWAYS, "model", "max_tokens", "temperature", "top_p", "stream", "user")),
    **dict.fromkeys(("stop_sequences", "service_tier", "tool_choice", "tools", "thread", "cache_control", "mcp_servers")),
    "messages": {"role": None, "content": BLOCKS},
    "metadata": {"user_id": None},
    "output_config": {"effort": None, "format": None},
    "system": BLOCKS,
    "thinking": {"type": None, "budget_tokens": None},
}

_CALL: Table = dict.fromkeys(("type", "id", "status", "call_id", "name", "namespace", "arguments", "input", "caller"))
_MARKED = ("type", "prompt_cache_breakpoint")
_TEXT: Table = dict.fromkeys((*_MARKED, "text", "annotations", "logprobs"))
_PARTS = Kinds(
    {
        **dict.fromkeys(("input_text", "output_text", "text"), _TEXT),
        "refusal": dict.fromkeys(("type", "refusal")),
        "input_image": dict.fromkeys((*_MARKED, "image_url", "file_id", "detail")),
        "input_file": dict.fromkeys((*_MARKED, "file_data", "file_url", "file_id", "filename")),
    }
)
_RESULT: Table = {**dict.fromkeys(("type", "id", "status", "call_id", "name", "namespace", "caller")), "output": _PARTS}
RESPONSES_ITEMS: Mapping[str, Table] = {
    "message": {**dict.fromkeys(("type", "id", "status", "phase", "role")), "content": _PARTS},
    **dict.fromkeys(("function_call", "custom_tool_call"), _CALL),
    **dict.fromkeys(("function_call_output", "custom_tool_call_output"), _RESULT),
}
"""By type, what of an item is read, or says nothing to others: its id, how it ended, what an answer cited."""
RESPONSES_OBJECTS: Mapping[str, Table | Kinds] = {
    "reasoning": dict.fromkeys(("effort", "generate_summary", "summary")),  # thinking is always shown as a summary
    "text": {"format": dict.fromkeys(("type", "name", "description", "schema", "strict")), "verbosity": None},
    "input": Kinds({**RESPONSES_ITEMS, **dict.fromkeys(("reasoning", "compaction", "item_reference"))}, "message"),
}
_FUNCTION: Table = dict.fromkeys(("type", "name", "description", "parameters", "strict"))
_CUSTOM: Table = dict.fromkeys(("type", "name", "description", "format"))
RESPONSES_TOOLS: Mapping[str, Table] = {
    "function": _FUNCTION,
    "custom": _CUSTOM,
    "namespace": {**dict.fromkeys(("type", "name")), "tools": Kinds({"function": _FUNCTION, "custom": _CUSTOM})},
}
RESPONSES_SEARCH: Table = dict.fromkeys(("type", "search_context_size", "user_location", "external_web_access"))

_MEDIA: Table = {
    "inlineData": dict.fromkeys(("mimeType", "data", "displayName")),
    "fileData": dict.fromkeys(("fileUri", "mimeType")),
}
_PART: Table = {
    **dict.fromkeys(("text", "thought", "thoughtSignature", "executableCode", "codeExecutionResult")),
    **_MEDIA,
    "functionCall": dict.fromkeys(("id", "name", "args")),
    "functionResponse": {**dict.fromkeys(("id", "name", "response")), "parts": _MEDIA},
}
_CONTENT: Table = {"role": None, "parts": _PART}
GEMINI_FUNCTION: Table = dict.fromkeys(("name", "description", "parameters", "parametersJsonSchema"))
_CONFIG: Table = {
    **dict.fromkeys(("temperature", "topP", "maxOutputTokens", "candidateCount", "seed", "presencePenalty", "frequencyPenalty")),
    **dict.fromkeys(("stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities")),
    **dict.fromkeys(("responseLogprobs", "logprobs")),
    "responseFormat": {"text": dict.fromkeys(("mimeType", "schema"))},
    "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": None}}},
    "thinkingConfig": dict.fromkeys(("includeThoughts", "thinkingBudget", "thinkingLevel")),
}
GEMINI: Table = {
    **dict.fromkeys(("tools", "serviceTier", "model", "cachedContent")),
    "contents": _CONTENT,
    "generationConfig": _CONFIG,
    "systemInstruction": _CONTENT,
    "toolConfig": {"functionCallingConfig": dict.fromkeys(("mode", "allowedFunctionNames"))},
}
"""What is read, and of it what; tools are looked at one by one."""
