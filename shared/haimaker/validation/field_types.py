"""Types of the fields of each client format, as its reference has them, but for those that an operation's own schema checks. Data.

A table says nothing of values: which of them there are may change, and a provider that speaks the format knows them.
"""

from typing import Any

Table = dict[str, Any]
OURS: Table = {"drop_params": bool}

# https://platform.openai.com/docs/api-reference/chat/create
_FUNCTION: Table = {"name": str, "description": str, "parameters": dict}
_PLACE: Table = {"city": str, "country": str, "region": str, "timezone": str}
CHAT: Table = {
    **OURS,
    "audio": {"format": str, "voice": (str, dict)},
    "function_call": (str, {"name": str}),
    "functions": [_FUNCTION],
    "logit_bias": dict,
    "logprobs": bool,
    "metadata": dict,
    "modalities": [str],
    "parallel_tool_calls": bool,
    "prediction": {"type": str, "content": (str, list)},
    "prompt_cache_key": str,
    "reasoning_effort": str,
    "response_format": {"type": str, "json_schema": {"name": str, "description": str, "schema": dict, "strict": bool}},
    "safety_identifier": str,
    "store": bool,
    "stream_options": {"include_obfuscation": bool},
    "tool_choice": (str, {"type": str, "function": {"name": str}, "custom": {"name": str}, "allowed_tools": {"mode": str}}),
    "tools": [{"type": str, "function": {**_FUNCTION, "strict": bool}, "custom": {"name": str, "description": str}}],
    "top_logprobs": int,
    "verbosity": str,
    "web_search_options": {"search_context_size": str, "user_location": {"type": str, "approximate": _PLACE}},
    "messages": [
        {
            "content": (str, [{"type": str, "text": str, "image_url": (str, {"url": str, "detail": str})}]),
            "refusal": str,
            "tool_call_id": str,
            "tool_calls": [{"id": str, "type": str, "function": {"name": str, "arguments": (str, dict)}}],
        }
    ],
}

# https://platform.openai.com/docs/api-reference/responses/create
_PART: Table = {
    **dict.fromkeys(("type", "text", "detail", "file_id", "filename", "file_data", "file_url", "refusal"), str),
    "image_url": (str, dict),
}
_ITEM: Table = {
    **dict.fromkeys(("type", "role", "call_id", "name", "id", "status", "encrypted_content"), str),
    "arguments": (str, dict),
    "content": (str, [_PART]),
    "output": (str, [_PART], dict),
    "summary": [_PART],
}
RESPONSES: Table = {
    **OURS,
    **dict.fromkeys(("background", "parallel_tool_calls", "store"), bool),
    **dict.fromkeys(("max_output_tokens", "max_tool_calls", "top_logprobs"), int),
    **dict.fromkeys(("previous_response_id", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"), str),
    "conversation": (str, dict),
    "include": [str],
    "input": (str, [_ITEM]),
    "instructions": (str, list),
    "metadata": dict,
    "prompt": dict,
    "reasoning": {"effort": str, "summary": str, "generate_summary": str},
    "stream_options": {"include_obfuscation": bool},
    "text": {
        "format": {"type": str, "name": str, "description": str, "schema": dict, "strict": bool},
        "verbosity": str,
    },
    "tool_choice": (str, {"type": str, "name": str, "mode": str, "tools": [dict]}),
    "tools": [{"type": str, "name": str, "description": str, "parameters": dict, "strict": bool}],
    "truncation": str,
}

# https://platform.claude.com/docs/en/api/messages
_BLOCK: Table = {
    **dict.fromkeys(("type", "text", "id", "name", "tool_use_id", "title", "thinking", "signature", "data"), str),
    "cache_control": dict,
    "input": dict,
    "is_error": bool,
    "source": (str, {"type": str, "data": str, "media_type": str, "url": str, "content": (str, list)}),
}
_BLOCK["content"] = (str, [dict(_BLOCK)], dict)
MESSAGES: Table = {
    **OURS,
    "container": (str, dict),
    "context_management": dict,
    "inference_geo": str,
    "max_tokens": int,
    "mcp_servers": [dict],
    "messages": [{"role": str, "content": (str, [_BLOCK])}],
    "metadata": {"user_id": str},
    "output_config": {"effort": str, "format": {"type": str, "schema": dict}},
    "stop_sequences": [str],
    "system": (str, [_BLOCK]),
    "thinking": {"type": str, "budget_tokens": int, "display": str},
    "tool_choice": {"type": str, "name": str, "disable_parallel_tool_use": bool},
    "tools": [
        {
            **dict.fromkeys(("type", "name", "description"), str),
            **dict.fromkeys(("input_schema", "cache_control"), dict),
            **dict.fromkeys(("strict", "defer_loading"), bool),
            "max_uses": int,
        }
    ],
    "top_k": int,
}

# https://ai.google.dev/api/generate-content; names in snake case are those of its documents too.
_BLOB: Table = {"mimeType": str, "data": str, "fileUri": str, "displayName": str}
_CONTENT_PART: Table = {
    "text": str,
    "thought": bool,
    "thoughtSignature": str,
    "inlineData": _BLOB,
    "fileData": _BLOB,
    "functionCall": {"id": str, "name": str, "args": dict},
    "functionResponse": {"id": str, "name": str, "response": dict},
}
_CONTENT: Table = {"role": str, "parts": (str, [(str, _CONTENT_PART)], _CONTENT_PART)}
_DECLARATION: Table = {"name": str, "description": str, "parameters": dict, "parametersJsonSchema": dict}
_GOOGLES_TOOL: Table = {
    "functionDeclarations": ([_DECLARATION], _DECLARATION),
    **dict.fromkeys(("googleSearch", "googleSearchRetrieval", "enterpriseWebSearch", "codeExecution", "urlContext"), dict),
}
GEMINI: Table = {
    **OURS,
    "cachedContent": str,
    "contents": (str, [(str, _CONTENT)], _CONTENT),
    "generationConfig": {
        **dict.fromkeys(("responseMimeType", "mediaResolution"), str),
        **dict.fromkeys(("responseSchema", "responseJsonSchema", "speechConfig"), dict),
        "logprobs": int,
        "responseLogprobs": bool,
        "responseModalities": [str],
        "stopSequences": [str],
        "thinkingConfig": {"includeThoughts": bool, "thinkingBudget": int, "thinkingLevel": str},
        "topK": float,
    },
    "labels": dict,
    "safetySettings": [dict],
    "systemInstruction": (str, [(str, _CONTENT_PART)], _CONTENT),
    "toolConfig": {"functionCallingConfig": {"mode": str, "allowedFunctionNames": [str]}},
    "tools": ([_GOOGLES_TOOL], _GOOGLES_TOOL),
}
