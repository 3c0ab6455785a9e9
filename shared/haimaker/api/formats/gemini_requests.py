"""A request in the format of Google's Gemini API as a chat. Pure.

https://ai.google.dev/api/generate-content. What only Google has is left out and named where an answer means the same without it,
and refused where it does not.
"""

from collections.abc import Mapping
from typing import Any

from haimaker.api.formats import read_fields
from haimaker.api.formats.gemini_contents import Conversation, read_object, to_camel, with_camel_names
from haimaker.api.formats.gemini_schemas import is_strict, to_json_schema
from haimaker.api.formats.unread import find_unread
from haimaker.http.errors import BadRequestError, NotFoundError, invalid_parameter
from haimaker.http.json import as_object
from haimaker.http.values import JSON
from haimaker.operations.fields import OURS
from haimaker.routing.preferences import ROUTING_FIELDS
from haimaker.validation import field_types
from haimaker.validation.shapes import check_shape

NUMBERS: Mapping[str, str] = {
    "temperature": "temperature",
    "topP": "top_p",
    "maxOutputTokens": "max_completion_tokens",
    "candidateCount": "n",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
}
OF_CHAT = OURS | {"user"}
GATEWAYS = ROUTING_FIELDS | OF_CHAT
"""Fields that are the gateway's own in every format, and pass as they are."""
EFFORTS = ((1_024, "low"), (8_192, "medium"))
"""By `thinkingBudget`, up to which; more is `high`."""
UNSPECIFIED = "THINKING_LEVEL_UNSPECIFIED"
LEVELS: Mapping[str, str] = {"MINIMAL": "minimal", "LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
MODES: Mapping[str, str] = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto", "MODE_UNSPECIFIED": "auto"}
TIERS: Mapping[str, str] = {"standard": "default", "flex": "flex", "priority": "priority"}
SEARCHES = frozenset({"googleSearch", "googleSearchRetrieval", "enterpriseWebSearch"})
OWN_STORES = frozenset({"fileSearch", "retrieval"})
"""Searches of the deployer's account, which all keys share: none of it is a client's."""


def without_ours(body: JSON) -> JSON:
    """What a provider of this format is to be sent of a body, and what is said about its routing, which is taken out later."""
    return {name: value for name, value in body.items() if name not in OF_CHAT}


def to_chat(body: JSON, model: str, *, streams: bool = False) -> tuple[JSON, tuple[str, ...], BadRequestError | None]:
    """The chat, the names of what was left out, and why a target that does not speak this format can't serve it, if it can't.

    Raises BadRequestError, NotFoundError."""
    ours = {name: value for name, value in body.items() if name in OF_CHAT}
    asked = with_camel_names({name: value for name, value in body.items() if name not in GATEWAYS and value is not None})
    check_shape(asked, field_types.GEMINI, to_camel)
    if any(body.get(name) for name in ("cachedContent", "cached_content")):
        raise NotFoundError("The cached content was not found.", param="cachedContent", code="cached_content_not_found")
    dropped = list(find_unread(asked, read_fields.GEMINI, spell=to_camel))
    chat: JSON = {**ours, "model": model}
    conversation = Conversation()
    chat["messages"] = conversation.read(asked)
    if streams:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    chat |= _config(read_object(asked.get("generationConfig", {}), "generationConfig"), dropped)
    tier = asked.get("serviceTier")
    if tier is not None:
        chat["service_tier"] = TIERS.get(str(tier).removeprefix("SERVICE_TIER_").lower(), tier)
    functions = _tools(asked.get("tools"), chat, dropped)
    if functions:
        chat |= {"tools": functions, **_choice(asked.get("toolConfig"), functions)}
    return chat, tuple(dict.fromkeys(dropped)), conversation.refusal or _format_refusal(asked)


def _config(given: JSON, dropped: list[str]) -> JSON:
    """Sampling, limits, the shape of the answer, and how long to think."""
    config = with_camel_names({name: value for name, value in given.items() if value is not None})
    chat = {ours: config[name] for name, ours in NUMBERS.items() if name in config}
    if config.get("stopSequences"):
        chat["stop"] = config["stopSequences"]
    if config.get("responseLogprobs") is True:
        chat |= {"logprobs": True, **({"top_logprobs": config["logprobs"]} if "logprobs" in config else {})}
    chat |= _format(config)
    chat |= _modalities(config, dropped)
    chat |= _thinking(config.get("thinkingConfig"))
    return chat


def _format(config: JSON) -> JSON:
    kind, schema = config.get("responseMimeType"), config.get("responseJsonSchema")
    if schema is None and config.get("responseSchema") is not None:
        schema = to_json_schema(config["responseSchema"])
    if text := _text_format(config):  # in place of the other three, which Vertex AI calls deprecated
        kind, schema = text.get("mimeType"), to_json_schema(text["schema"]) if isinstance(text.get("schema"), dict) else None
    if kind != "application/json":
        return {}
    if not isinstance(schema, dict):
        return {"response_format": {"type": "json_object"}}
    wanted = {"name": "answer", "schema": schema, **({"strict": True} if is_strict(schema) else {})}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


def _text_format(config: JSON) -> JSON:
    """How a text is to be written, of a format for each kind of answer.
    https://docs.cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerationConfig"""
    given = config.get("responseFormat")
    formats = [with_camel_names(each) for each in (given if isinstance(given, list) else [given]) if isinstance(each, dict)]
    return next((with_camel_names(each["text"]) for each in formats if isinstance(each.get("text"), dict)), {})


def _format_refusal(asked: JSON) -> BadRequestError | None:
    config = with_camel_names(as_object(asked.get("generationConfig")))
    if (_text_format(config).get("mimeType") or config.get("responseMimeType")) not in (None, "", "text/plain", "application/json"):
        return invalid_parameter("generationConfig.responseMimeType", "the model answers in text/plain or application/json")
    level = with_camel_names(as_object(config.get("thinkingConfig"))).get("thinkingLevel")
    if level is not None and str(level).upper() not in (*LEVELS, UNSPECIFIED):
        return invalid_parameter("generationConfig.thinkingConfig.thinkingLevel", f"it must be {', '.join(LEVELS)}")
    return None


def _modalities(config: JSON, dropped: list[str]) -> JSON:
    """OpenAI's models that speak also write: they take `text` and `audio` together."""
    modalities = config.get("responseModalities") or []
    if not isinstance(modalities, list):
        raise invalid_parameter("generationConfig.responseModalities", "it must be a list")
    wanted = [str(name).lower() for name in modalities]
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
    config = with_camel_names(read_object(given, "generationConfig.thinkingConfig"))
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if isinstance(level, str) and level.upper() in LEVELS:
        return {"reasoning_effort": LEVELS[level.upper()]}
    if budget is None or budget == -1:  # as long as the model likes
        return {}
    if type(budget) is not int or budget < 0:
        raise invalid_parameter("generationConfig.thinkingConfig.thinkingBudget", "it must be a whole number, or -1")
    if budget == 0:
        return {"reasoning_effort": "none"}
    return {"reasoning_effort": next((effort for most, effort in EFFORTS if budget <= most), "high")}


def _tools(given: Any, chat: JSON, dropped: list[str]) -> list[JSON]:
    """Functions; a search of the web goes into `chat`. Tools that Google runs itself and no other vendor has are left out and
    named."""
    functions: list[JSON] = []
    tools = [given] if isinstance(given, dict) else given or []
    if not isinstance(tools, list):
        raise invalid_parameter("tools", "it must be a list")
    for index, entry in enumerate(tools):
        for name, value in with_camel_names(read_object(entry, f"tools[{index}]")).items():
            param = f"tools[{index}].{name}"
            if name == "functionDeclarations":
                declared = [value] if isinstance(value, dict) else value or []
                if not isinstance(declared, list):
                    raise invalid_parameter(param, "it must be a list")
                functions += [_function(each, f"{param}[{at}]") for at, each in enumerate(declared)]
                dropped += find_unread(declared, read_fields.GEMINI_FUNCTION, f"tools.{name}", to_camel)
            elif name in SEARCHES:
                chat["web_search_options"] = {}
                dropped += find_unread(value, {}, f"tools.{name}", to_camel)
            elif name in OWN_STORES:
                raise NotFoundError("The store to search in was not found.", param=param, code="store_not_found")
            elif value is not None:
                dropped.append(param)
    return functions


def _function(given: Any, param: str) -> JSON:
    declared = with_camel_names(read_object(given, param))
    name = declared.get("name")
    if not isinstance(name, str) or not name:
        raise invalid_parameter(f"{param}.name", "it must be a string")
    schema = declared.get("parametersJsonSchema")
    if schema is None and declared.get("parameters") is not None:
        schema = to_json_schema(declared["parameters"])
    function: JSON = {"name": name, "parameters": schema if isinstance(schema, dict) else {"type": "object", "properties": {}}}
    if isinstance(declared.get("description"), str) and declared["description"]:
        function["description"] = declared["description"]
    return {"type": "function", "function": function}


def _choice(given: Any, functions: list[JSON]) -> JSON:
    """Which functions may be called; without those that may not, where several may."""
    if given is None:
        return {}
    config = with_camel_names(read_object(given, "toolConfig"))
    calling = with_camel_names(read_object(config.get("functionCallingConfig") or {}, "toolConfig.functionCallingConfig"))
    mode = str(calling.get("mode") or "AUTO").upper()
    if mode not in MODES:
        raise invalid_parameter("toolConfig.functionCallingConfig.mode", "it must be AUTO, ANY, NONE or VALIDATED")
    names = calling.get("allowedFunctionNames") or []
    if not isinstance(names, list):
        raise invalid_parameter("toolConfig.functionCallingConfig.allowedFunctionNames", "it must be a list")
    allowed = [function for function in functions if function["function"]["name"] in names] if names else functions
    if names and not allowed:
        raise invalid_parameter("toolConfig.functionCallingConfig.allowedFunctionNames", "they name none of the functions")
    if mode == "ANY" and names and len(allowed) == 1:
        return {"tool_choice": {"type": "function", "function": {"name": allowed[0]["function"]["name"]}}}
    chosen: JSON = {"tool_choice": MODES[mode]} if calling.get("mode") else {}
    return chosen | ({"tools": allowed} if len(allowed) < len(functions) else {})


def _at(holder: Any, *names: str) -> JSON:
    for name in names:
        holder = with_camel_names(holder).get(name) if isinstance(holder, dict) else None
    return with_camel_names(holder) if isinstance(holder, dict) else {}
