"""A request in the format of Google's Gemini API as a chat. Pure.

https://ai.google.dev/api/generate-content. Its JSON has two spellings of every name, `systemInstruction` and `system_instruction`;
both are read. What a vendor signed comes back in `thoughtSignature` (`gemini_thoughts.py`). What only Google has is left out and
named where an answer means the same without it, and refused where it does not.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from haimaker.api.formats import gemini_thoughts
from haimaker.api.formats.gemini_schemas import is_strict, to_json_schema
from haimaker.http.errors import BadRequestError, NotFoundError
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

NUMBERS: Mapping[str, str] = {
    "temperature": "temperature",
    "topP": "top_p",
    "maxOutputTokens": "max_completion_tokens",
    "candidateCount": "n",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
}
READ_OF_CONFIG = frozenset(NUMBERS) | frozenset(
    {"stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema", "responseFormat", "responseModalities"}
    | {"responseLogprobs", "logprobs", "thinkingConfig", "speechConfig"}
)
READ = frozenset(
    {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier", "model", "cachedContent"}
)
GATEWAYS = frozenset({"drop_params", "user", "fallbacks", "models", "provider", "route", "stream_options"})
"""Fields that are the gateway's own in every format, and pass as they are."""
EFFORTS = ((1_024, "low"), (8_192, "medium"))
"""By `thinkingBudget`, up to which; more is `high`."""
LEVELS: Mapping[str, str] = {"MINIMAL": "minimal", "LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
MODES: Mapping[str, str] = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto", "MODE_UNSPECIFIED": "auto"}
TIERS: Mapping[str, str] = {"standard": "default", "flex": "flex", "priority": "priority"}
SEARCHES = frozenset({"googleSearch", "googleSearchRetrieval", "enterpriseWebSearch"})
SOUNDS: Mapping[str, str] = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "pcm": "pcm16", "l16": "pcm16"}
"""Subtypes of audio whose format has another name in OpenAI's."""
OWN_FILES = ("generativelanguage.googleapis.com/", "aiplatform.googleapis.com/")
"""Where files of the deployer's account are, which all keys share: none of them is a client's."""
TEXTS = ("text/", "application/json")
RESULT_FIELDS = ("output", "result")
"""Under which a text that is the whole result of a function stands."""


def spelled(name: str) -> str:
    """The name as Google's JSON writes it: `inline_data` is `inlineData`."""
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def camel(given: JSON) -> JSON:
    """An object with its own names spelled in one way; what is inside them stays."""
    return {spelled(name): value for name, value in given.items()} if any("_" in name for name in given) else given


def to_chat(body: JSON, model: str, *, streams: bool = False) -> tuple[JSON, tuple[str, ...]]:
    """The chat, and the names of what was left out. Raises BadRequestError, NotFoundError."""
    ours = {name: value for name, value in body.items() if name in GATEWAYS}
    asked = camel({name: value for name, value in body.items() if name not in GATEWAYS and value is not None})
    if asked.get("cachedContent"):
        raise NotFoundError("The cached content was not found.", param="cachedContent", code="cached_content_not_found")
    dropped = [name for name in asked if name not in READ]
    chat: JSON = {**ours, "model": model}
    chat["messages"] = _Conversation().read(asked)
    if streams:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    chat |= _config(_object(asked.get("generationConfig", {}), "generationConfig"), dropped)
    tier = asked.get("serviceTier")
    if tier is not None:
        chat["service_tier"] = TIERS.get(str(tier).removeprefix("SERVICE_TIER_").lower(), tier)
    functions = _tools(asked.get("tools"), chat, dropped)
    if functions:
        chat |= {"tools": functions, **_choice(asked.get("toolConfig"), functions, dropped)}
    return chat, tuple(dropped)


@dataclass(slots=True)
class _Conversation:
    """The messages so far, and which calls still wait for their result."""

    messages: list[JSON] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    """Id and name of each call."""
    calls: int = 0

    def read(self, asked: JSON) -> list[JSON]:
        if system := _parts(asked.get("systemInstruction"), "systemInstruction"):
            self._add("system", [_part(part, param) for part, param in system])
        contents = asked.get("contents")
        contents = [contents] if isinstance(contents, dict | str) else contents
        if not isinstance(contents, list) or not contents:
            raise _invalid("contents", "it must be a list with at least one content")
        for index, content in enumerate(contents):
            self._turn(content, f"contents[{index}]")
        if all(message["role"] == "system" for message in self.messages):
            raise _invalid("contents", "there is nothing in them")
        return self.messages

    def _turn(self, content: Any, param: str) -> None:
        role = (content.get("role") or "user") if isinstance(content, dict) else "user"
        if role not in ("user", "model", "function", "system"):
            raise _invalid(f"{param}.role", "it must be user or model")
        parts = _parts(content, param)
        if role == "model":
            self._said(parts)
        else:
            self._asked("system" if role == "system" else "user", parts)

    def _asked(self, role: str, parts: Sequence[tuple[JSON, str]]) -> None:
        """A turn of the user's: the results of functions, each a message of its own, then the rest."""
        rest: list[JSON] = []
        for part, param in parts:
            if "functionResponse" in part:
                self.messages.append(self._result(camel(_object(part["functionResponse"], param)), f"{param}.functionResponse"))
            elif "functionCall" not in part and "toolResponse" not in part:
                rest.append(_part(part, param))
        if rest:
            self._add(role, rest)

    def _result(self, result: JSON, param: str) -> JSON:
        identifier, name = result.get("id"), result.get("name")
        by_id = [call for call in self.waiting if call[0] == identifier]
        found = by_id or [call for call in self.waiting if call[1] == name]
        if not found:
            raise _invalid(f"{param}.name", "it answers no function call of an earlier content")
        self.waiting.remove(found[0])
        message: JSON = {"role": "tool", "tool_call_id": found[0][0], "content": _result_text(result.get("response"))}
        media = [_part(camel(_object(part, param)), param) for part in result.get("parts") or ()]
        if media:
            message["content"] = [{"type": "text", "text": message["content"]}, *media]
        return message

    def _said(self, parts: Sequence[tuple[JSON, str]]) -> None:
        """A turn of the model's as one message, with what its thoughts were signed with where their maker looks for it."""
        message: JSON = {"role": "assistant", "content": None}
        said: list[JSON] = []
        for part, param in parts:
            signature = part.get("thoughtSignature")
            if "functionCall" in part:
                message.setdefault("tool_calls", []).append(
                    self._call(camel(_object(part["functionCall"], param)), signature, param)
                )
                continue
            if part.get("thought") is True:
                message["reasoning_content"] = message.get("reasoning_content", "") + str(part.get("text") or "")
            elif part.get("text") != "" and "toolCall" not in part and "toolResponse" not in part:
                said.append(_part(part, param))
            message |= gemini_thoughts.of_message(signature)
        if said:
            message["content"] = _content(said)
        if len(message) > 2 or said:
            self.messages.append(message)

    def _call(self, call: JSON, signature: Any, param: str) -> JSON:
        name = call.get("name")
        if not isinstance(name, str) or not name:
            raise _invalid(f"{param}.functionCall.name", "it must be a string")
        self.calls += 1
        identifier = call["id"] if isinstance(call.get("id"), str) and call["id"] else f"call_{self.calls}"
        identifier = gemini_thoughts.call_id(identifier, signature)
        self.waiting.append((identifier, name))
        arguments = json.dumps(call.get("args") or {}, ensure_ascii=False)
        return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}

    def _add(self, role: str, parts: list[JSON]) -> None:
        self.messages.append({"role": role, "content": _content(parts)})


def _content(parts: list[JSON]) -> Any:
    """One text as a string, which every provider takes."""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _parts(content: Any, param: str) -> list[tuple[JSON, str]]:
    """Of a content, each with its place. A text alone is one part, and one part may stand without a list."""
    if content is None:
        return []
    parts = content if isinstance(content, str) else _object(content, param).get("parts")
    parts = [{"text": parts}] if isinstance(parts, str) else [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list):
        raise _invalid(f"{param}.parts", "it must be a list of parts")
    return [(camel(_object(part, f"{param}.parts[{at}]")), f"{param}.parts[{at}]") for at, part in enumerate(parts)]


def _part(part: JSON, param: str) -> JSON:
    if isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if "inlineData" in part:
        return _blob(camel(_object(part["inlineData"], f"{param}.inlineData")), f"{param}.inlineData")
    if "fileData" in part:
        return _file(camel(_object(part["fileData"], f"{param}.fileData")), f"{param}.fileData")
    if isinstance(part.get("executableCode"), dict):
        code = camel(part["executableCode"])
        return {"type": "text", "text": f"```{str(code.get('language') or '').lower()}\n{code.get('code') or ''}\n```"}
    if isinstance(part.get("codeExecutionResult"), dict):
        return {"type": "text", "text": f"```\n{camel(part['codeExecutionResult']).get('output') or ''}\n```"}
    raise _invalid(param, "a part of this kind can't stand here")


def _blob(blob: JSON, param: str) -> JSON:
    kind, data = str(blob.get("mimeType") or "").partition(";")[0].strip().lower(), blob.get("data")
    if not isinstance(data, str) or not kind:
        raise _invalid(param, "it must have a mimeType and data in base64")
    data = data.replace("-", "+").replace("_", "/")
    family, _, subtype = kind.partition("/")
    if family == "image":
        return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
    if family == "audio":
        return {"type": "input_audio", "input_audio": {"data": data, "format": SOUNDS.get(subtype, subtype)}}
    if family == "video":
        return {"type": "video_url", "video_url": {"url": f"data:{kind};base64,{data}"}}
    if kind.startswith(TEXTS):
        return {"type": "text", "text": _decoded(data, param)}
    name = blob.get("displayName")
    filename = name if isinstance(name, str) and name else f"document.{subtype}"
    return {"type": "file", "file": {"filename": filename, "file_data": f"data:{kind};base64,{data}"}}


def _decoded(data: str, param: str) -> str:
    try:
        return base64.b64decode(data + "=" * (-len(data) % 4)).decode()
    except ValueError:
        raise _invalid(f"{param}.data", "it must be a text in UTF-8, as base64") from None


def _file(file: JSON, param: str) -> JSON:
    link, kind = file.get("fileUri"), str(file.get("mimeType") or "")
    if not isinstance(link, str) or not link:
        raise _invalid(f"{param}.fileUri", "it must be a link")
    if any(place in link for place in OWN_FILES) or link.startswith("files/"):
        raise NotFoundError("The file was not found.", param=f"{param}.fileUri", code="file_not_found")
    family = kind.partition("/")[0]
    if family in ("image", "video", "audio"):
        return {"type": f"{family}_url", f"{family}_url": {"url": link}}
    return {"type": "file", "file": {"file_data": link, **({"format": kind} if kind else {})}}


def _result_text(response: Any) -> str:
    """A function's result as a text: one that is nothing else stands as it is."""
    if isinstance(response, str):
        return response
    if isinstance(response, dict) and len(response) == 1:
        name, value = next(iter(response.items()))
        if name in RESULT_FIELDS and isinstance(value, str):
            return value
    return json.dumps(response if response is not None else {}, ensure_ascii=False)


def _config(given: JSON, dropped: list[str]) -> JSON:
    """Sampling, limits, the shape of the answer, and how long to think."""
    config = camel({name: value for name, value in given.items() if value is not None})
    chat = {ours: config[name] for name, ours in NUMBERS.items() if name in config}
    if config.get("stopSequences"):
        chat["stop"] = config["stopSequences"]
    if config.get("responseLogprobs") is True:
        chat |= {"logprobs": True, **({"top_logprobs": config["logprobs"]} if "logprobs" in config else {})}
    chat |= _format(config, dropped)
    chat |= _modalities(config, dropped)
    chat |= _thinking(config.get("thinkingConfig"))
    dropped += [f"generationConfig.{name}" for name in config if name not in READ_OF_CONFIG]
    return chat


def _format(config: JSON, dropped: list[str]) -> JSON:
    kind = config.get("responseMimeType")
    if kind in (None, "", "text/plain"):
        return {}
    if kind != "application/json":
        raise _invalid("generationConfig.responseMimeType", "the model answers in text/plain or application/json")
    schema = config.get("responseJsonSchema")
    if schema is None and config.get("responseSchema") is not None:
        schema = to_json_schema(config["responseSchema"])
    if not isinstance(schema, dict):
        return {"response_format": {"type": "json_object"}}
    wanted = {"name": "answer", "schema": schema, **({"strict": True} if is_strict(schema) else {})}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


def _modalities(config: JSON, dropped: list[str]) -> JSON:
    """OpenAI's models that speak also write: they take `text` and `audio` together."""
    wanted = [str(name).lower() for name in config.get("responseModalities") or ()]
    if not wanted or wanted == ["text"]:
        if config.get("speechConfig") is not None:
            dropped.append("generationConfig.speechConfig")
        return {}
    chat: JSON = {"modalities": ["text", "audio"] if wanted == ["audio"] else wanted}
    if "audio" in wanted:
        voice = _at(config.get("speechConfig"), "voiceConfig", "prebuiltVoiceConfig").get("voiceName")
        chat["audio"] = {"format": "pcm16", **({"voice": voice} if voice else {})}
    return chat


def _thinking(given: Any) -> JSON:
    if given is None:
        return {}
    config = camel(_object(given, "generationConfig.thinkingConfig"))
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if isinstance(level, str) and level.upper() in LEVELS:
        return {"reasoning_effort": LEVELS[level.upper()]}
    if budget is None or budget == -1:  # as long as the model likes
        return {}
    if type(budget) is not int or budget < 0:
        raise _invalid("generationConfig.thinkingConfig.thinkingBudget", "it must be a whole number, or -1")
    if budget == 0:
        return {"reasoning_effort": "none"}
    return {"reasoning_effort": next((effort for most, effort in EFFORTS if budget <= most), "high")}


def _tools(given: Any, chat: JSON, dropped: list[str]) -> list[JSON]:
    """Functions; a search of the web goes into `chat`. Tools that Google runs itself and no other vendor has are left out and
    named."""
    functions: list[JSON] = []
    tools = [given] if isinstance(given, dict) else given or []
    if not isinstance(tools, list):
        raise _invalid("tools", "it must be a list")
    for index, entry in enumerate(tools):
        for name, value in camel(_object(entry, f"tools[{index}]")).items():
            param = f"tools[{index}].{name}"
            if name == "functionDeclarations":
                declared = [value] if isinstance(value, dict) else value or []
                functions += [_function(each, f"{param}[{at}]") for at, each in enumerate(declared)]
            elif name in SEARCHES:
                chat["web_search_options"] = {}
            elif value is not None:
                dropped.append(param)
    return functions


def _function(given: Any, param: str) -> JSON:
    declared = camel(_object(given, param))
    name = declared.get("name")
    if not isinstance(name, str) or not name:
        raise _invalid(f"{param}.name", "it must be a string")
    schema = declared.get("parametersJsonSchema")
    if schema is None and declared.get("parameters") is not None:
        schema = to_json_schema(declared["parameters"])
    function: JSON = {"name": name, "parameters": schema if isinstance(schema, dict) else {"type": "object", "properties": {}}}
    if isinstance(declared.get("description"), str) and declared["description"]:
        function["description"] = declared["description"]
    return {"type": "function", "function": function}


def _choice(given: Any, functions: list[JSON], dropped: list[str]) -> JSON:
    """Which functions may be called; without those that may not, where several may."""
    if given is None:
        return {}
    config = camel(_object(given, "toolConfig"))
    dropped += [f"toolConfig.{name}" for name, value in config.items() if name != "functionCallingConfig" and value is not None]
    calling = camel(_object(config.get("functionCallingConfig") or {}, "toolConfig.functionCallingConfig"))
    mode = str(calling.get("mode") or "AUTO").upper()
    if mode not in MODES:
        raise _invalid("toolConfig.functionCallingConfig.mode", "it must be AUTO, ANY, NONE or VALIDATED")
    names = calling.get("allowedFunctionNames") or ()
    allowed = [function for function in functions if function["function"]["name"] in names] if names else functions
    if names and not allowed:
        raise _invalid("toolConfig.functionCallingConfig.allowedFunctionNames", "they name none of the functions")
    if mode == "ANY" and names and len(allowed) == 1:
        return {"tool_choice": {"type": "function", "function": {"name": allowed[0]["function"]["name"]}}}
    chosen: JSON = {"tool_choice": MODES[mode]} if calling.get("mode") else {}
    return chosen | ({"tools": allowed} if len(allowed) < len(functions) else {})


def _at(holder: Any, *names: str) -> JSON:
    for name in names:
        holder = camel(holder).get(name) if isinstance(holder, dict) else None
    return camel(holder) if isinstance(holder, dict) else {}


def _object(value: Any, param: str) -> JSON:
    if not isinstance(value, dict):
        raise _invalid(param, "it must be an object")
    return value


def _invalid(param: str, why: str) -> BadRequestError:
    return BadRequestError(f"Invalid value for '{param}': {why}.", param=param, code="invalid_value")
