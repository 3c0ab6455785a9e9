"""A request's parameters: what Gemini has of them, under which name, and what it does not have.

https://ai.google.dev/api/generate-content#generationconfig
"""

from collections.abc import Mapping
from typing import Any

from haimaker.adapters.gemini import media
from haimaker.adapters.gemini.shapes import refuse, required_list, required_name, required_object
from haimaker.adapters.gemini.tools import to_camel_case
from haimaker.adapters.parameters import HINTS, OPENAI, Parameters
from haimaker.http.errors import BadRequestError
from haimaker.http.json import as_object
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import replace
from haimaker.models.traits import EFFORTS, Traits
from haimaker.operations.attempt import Attempt

HARMLESS = frozenset(
    {
        "user",
        "metadata",
        "store",
        "safety_identifier",
        *HINTS,
        "prediction",
        "verbosity",
    }
)
NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "parallel_tool_calls": (True,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
}
PARAMETERS = Parameters(OPENAI - HARMLESS - {"logit_bias", "parallel_tool_calls"}, HARMLESS, NEUTRAL)

RENAMED: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "top_logprobs": "logprobs",
}
CONFIG_FIELDS = frozenset(RENAMED.values()) | frozenset(
    {"thinkingConfig", "mediaResolution", "speechConfig", "imageConfig", "responseModalities", "responseMimeType"}
    | {"responseSchema", "responseJsonSchema", "responseLogprobs", "audioTimestamp", "routingConfig", "modelSelectionConfig"}
    | {"enableEnhancedCivicAnswers", "enableAffectiveDialog", "translationConfig", "audioTranscriptionConfig", "stopSequences"}
    | {"maxOutputTokens"}
)
BODY_FIELDS = frozenset({"safetySettings", "cachedContent", "labels", "modelArmorConfig", "toolConfig"})
"""Google's own fields, which a client may send beside OpenAI's, in either spelling."""
GOOGLE = frozenset({"thinking", "extra_body", "google", "generationConfig", "generation_config"})

SERVICE_TIERS: Mapping[str, str] = {"default": "standard", "standard": "standard", "flex": "flex", "priority": "priority"}
"""https://ai.google.dev/gemini-api/docs/optimization; `auto` is what comes without one."""
MODALITIES: Mapping[str, str] = {"text": "TEXT", "image": "IMAGE", "audio": "AUDIO", "video": "VIDEO"}


def to_body(body: JSON, attempt: Attempt) -> tuple[JSON, tuple[str, ...]]:
    """The request without messages and tools, and the names of what it leaves out."""
    single = {"parallel_tool_calls"} if len(body.get("tools") or ()) == 1 else set()
    parameters = PARAMETERS.for_model(attempt.traits, body.get("reasoning_effort"))
    parameters = replace(parameters, harmless=parameters.harmless | single)
    kept, dropped = parameters.split(_without_needless(body))
    config: JSON = {RENAMED[name]: value for name, value in kept.items() if name in RENAMED and value is not None}
    config.update(_limits(kept, attempt))
    config.update(media.resolution(body["messages"]))
    config.update(_response_format(kept.get("response_format")))
    config.update(_modalities(kept))
    lost = _add_thinking(config, kept, attempt.traits)
    made: JSON = {}
    if kept.get("service_tier") in SERVICE_TIERS:
        made["serviceTier"] = SERVICE_TIERS[kept["service_tier"]]
    elif kept.get("service_tier") not in (None, "auto"):
        lost.append("service_tier")
    for name, value in _vendor_fields(kept):
        if to_camel_case(name) in CONFIG_FIELDS:
            config[to_camel_case(name)] = value
        elif to_camel_case(name) in BODY_FIELDS:
            made[to_camel_case(name)] = value
        else:
            lost.append(name)
    return {**({"generationConfig": config} if config else {}), **made}, (*dropped, *lost)


def _without_needless(body: JSON) -> JSON:
    """What says nothing here: usage always comes, and calls need tools."""
    exclusions = {"stream_options"} if body.get("tools") else {"stream_options", "parallel_tool_calls"}
    if body.get("logprobs") is not True:
        exclusions |= {"logprobs", "top_logprobs"}
    return {name: value for name, value in body.items() if name not in exclusions}


def _limits(body: JSON, attempt: Attempt) -> JSON:
    made: JSON = {}
    limit = attempt.max_output_tokens or body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None:
        made["maxOutputTokens"] = limit
    stop = body.get("stop")
    if stop:
        made["stopSequences"] = [stop] if isinstance(stop, str) else stop
    if body.get("logprobs"):
        made["responseLogprobs"] = True
    return made


def _response_format(value: Any) -> JSON:
    kind = value.get("type") if isinstance(value, dict) else None
    if value is None or kind == "text":
        return {}
    if kind == "json_object":
        schema = value.get("response_schema") or value.get("schema")
    elif kind == "json_schema":
        param = "response_format.json_schema"
        schema = required_object(required_object(value.get("json_schema"), param).get("schema"), f"{param}.schema")
    else:
        refuse("response_format.type", "use one of text, json_object, json_schema")
    # Every model that is served reads JSON Schema: https://ai.google.dev/gemini-api/docs/structured-output
    return {"responseMimeType": "application/json", **({"responseJsonSchema": schema} if isinstance(schema, dict) else {})}


def _modalities(body: JSON) -> JSON:
    made: JSON = {}
    if body.get("modalities") is not None:
        named = [
            MODALITIES.get(name) if isinstance(name, str) else None for name in required_list(body["modalities"], "modalities")
        ]
        if None in named:
            refuse("modalities", f"use some of {', '.join(MODALITIES)}")
        # A model that speaks does not write as well: https://ai.google.dev/gemini-api/docs/speech-generation
        made["responseModalities"] = ["AUDIO"] if "AUDIO" in named else named
    if body.get("audio") is not None:
        audio = required_object(body["audio"], "audio")
        if audio.get("format", "pcm16") != "pcm16" and not body.get("drop_params"):
            raise BadRequestError("The model's audio is pcm16.", param="audio.format", code="unsupported_parameter")
        voice = audio.get("voice")
        name = required_name(voice.get("id") if isinstance(voice, dict) else voice, "audio.voice")
        made["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": name}}}
    return made


def _add_thinking(config: JSON, body: JSON, traits: Traits) -> list[str]:
    """Adds the thinking that an effort, or Anthropic's `thinking`, asks for; the names of what has no effect."""
    effort, thinking = body.get("reasoning_effort"), body.get("thinking")
    if thinking is not None:
        found = required_object(thinking, "thinking")
        budget = found.get("budget_tokens")
        if found.get("type") == "disabled":
            effort = "none"
        elif effort is None:
            config["thinkingConfig"] = {**({"thinkingBudget": budget} if budget is not None else {}), "includeThoughts": True}
            return []
    if effort is None:
        return []
    made = _thinking(effort, traits)
    if made:
        config["thinkingConfig"] = made
    return [] if made or effort == "none" else ["reasoning_effort"]


def _thinking(effort: object, traits: Traits) -> JSON | None:
    """The `thinkingConfig` for an effort; None where the model does not think. Raises BadRequestError for an unknown effort."""
    if not isinstance(effort, str) or effort not in EFFORTS:
        refuse("reasoning_effort", f"use one of {', '.join(EFFORTS)}")
    value = (traits.efforts or {}).get(effort)
    if value is None:
        return None
    shown = {"includeThoughts": True} if effort != "none" else {}
    return {"thinkingBudget": value, **shown} if isinstance(value, int) else {"thinkingLevel": value, **shown}


def _vendor_fields(body: JSON) -> list[tuple[str, Any]]:
    """Fields that OpenAI does not have: at the top, in `generationConfig`, and in `extra_body.google`, which is how they are
    written for Google's own OpenAI surface. https://ai.google.dev/gemini-api/docs/openai#extra-body"""
    fields = [(name, value) for name, value in body.items() if name not in OPENAI | GOOGLE and value is not None]
    inner = (
        as_object(as_object(body.get("extra_body")).get("google")),
        as_object(body.get("google")),
        as_object(body.get("generationConfig")),
        as_object(body.get("generation_config")),
    )
    return fields + [field for fields_of_one in inner for field in fields_of_one.items()]
