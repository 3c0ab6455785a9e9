"""The last look at an answer: fields of the types that the official SDKs have, whatever a provider sent. Pure.

https://github.com/openai/openai-python/tree/main/src/openai/types, and Cohere's for rerank:
https://github.com/cohere-ai/cohere-python/tree/main/src/cohere/v2/types. What is of another type and plain in its meaning is
written as it should be; what is beside the answer is left out; what is the answer itself, and can't be read, is the provider's
error. The same object comes back where nothing is wrong. Fields that OpenAI does not have pass.
"""

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Any

from haimaker.http.errors import BadGatewayError
from haimaker.http.values import JSON

Shape = Any
"""A type, a set of words, a list of one shape, fields with theirs, VECTOR, or a tuple of shapes of which one will do; of a field,
null is right as well."""
VECTOR: Shape = object()
"""Numbers that 32 bits can hold, or such numbers in base64."""
BASE64: Shape = object()
"""Bytes in base64, in either alphabet, as Google's SDK decodes them."""
NEEDS = "needs "
"""The name, no field of any answer, under which a shape has the fields without which it is of no use, or what they then are, by
themselves or by the other fields, or others that do as well."""

_TOKEN: Shape = {"token": str, "logprob": float, "bytes": [int], NEEDS: {"token": ..., "logprob": ...}}
_TOKENS: Shape = [{**_TOKEN, "top_logprobs": [_TOKEN], NEEDS: {**_TOKEN[NEEDS], "top_logprobs": []}}]
_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_CITATION: Shape = {"start_index": int, "end_index": int, "title": str, "url": str}
_CITATION |= {NEEDS: dict.fromkeys(_CITATION, ...)}
_FUNCTION: Shape = {"name": str, "arguments": str}
_CALL: Shape = {
    "index": int,
    "id": str,
    "type": frozenset({"function", "custom"}),
    "function": _FUNCTION,
    "custom": {"name": str, "input": str},
}
_AUDIO: Shape = {"id": str, "data": str, "expires_at": int, "transcript": str}
_DELTA: Shape = {
    "role": str,
    "content": str,
    "refusal": str,
    "reasoning_content": str,
    "function_call": _FUNCTION,
    "tool_calls": [_CALL],
    "annotations": [{"type": str, "url_citation": _CITATION, NEEDS: {"url_citation": ...}}],
    "audio": _AUDIO,
}
_WHOLE_FUNCTION: Shape = {**_FUNCTION, NEEDS: {"name": ..., "arguments": ""}}
_MESSAGE: Shape = {
    **_DELTA,
    "audio": {**_AUDIO, NEEDS: dict.fromkeys(_AUDIO, ...)},
    "function_call": _WHOLE_FUNCTION,
    "tool_calls": [{**_CALL, "function": _WHOLE_FUNCTION, NEEDS: {"id": ..., "type": "function", "function": ("custom",)}}],
}
_CHOICE: Shape = {
    "index": int,
    "finish_reason": _REASONS,
    "message": _MESSAGE,
    "delta": _DELTA,
    "logprobs": {"content": _TOKENS, "refusal": _TOKENS},
}
_READ = ("audio_tokens", "cached_tokens", "cache_write_tokens", "image_tokens", "text_tokens")
_WRITTEN = ("accepted_prediction_tokens", "audio_tokens", "reasoning_tokens", "rejected_prediction_tokens", "text_tokens")
_TOTALS: Shape = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), int)
_USAGE: Shape = {
    **_TOTALS,
    "prompt_tokens_details": dict.fromkeys(_READ, int),
    "completion_tokens_details": dict.fromkeys(_WRITTEN, int),
    NEEDS: dict.fromkeys(_TOTALS, ...),
}
_HEAD: Shape = {
    "id": str,
    "object": str,
    "created": int,
    "model": str,
    "service_tier": _TIERS,
    "system_fingerprint": str,
    "obfuscation": str,
    "usage": _USAGE,
}
CHAT: Shape = {**_HEAD, "choices": [_CHOICE]}
_LOGPROBS: Shape = {"tokens": [str], "token_logprobs": [float], "text_offset": [int], "top_logprobs": list}
COMPLETION: Shape = {
    **_HEAD,
    "choices": [{"index": int, "finish_reason": _REASONS, "text": str, "logprobs": _LOGPROBS, NEEDS: {"text": ""}}],
}


def _total(used: JSON) -> int:
    return int(used["input_tokens"]) + int(used["output_tokens"])


_TOKENS_USED = ("input_tokens", "output_tokens", "total_tokens")
_COUNTED: Shape = {**dict.fromkeys(_TOKENS_USED, int), NEEDS: {"input_tokens": ..., "output_tokens": ..., "total_tokens": _total}}
_IN_WORDS: Shape = {"audio_tokens": int, "text_tokens": int}
_IN_IMAGES: Shape = {"image_tokens": int, "text_tokens": int, NEEDS: {"image_tokens": ..., "text_tokens": ...}}
_EMBEDDED: Shape = {"object": frozenset({"embedding"}), "index": int, "embedding": VECTOR}
_EMBEDDED |= {NEEDS: {"object": "embedding", "index": ..., "embedding": ...}}
EMBEDDINGS: Shape = {
    "object": frozenset({"list"}),
    "model": str,
    "data": [_EMBEDDED],
    "usage": {
        "prompt_tokens": int,
        "total_tokens": int,
        NEEDS: {"prompt_tokens": ..., "total_tokens": lambda used: used["prompt_tokens"]},
    },
    NEEDS: {"object": "list", "model": "", "data": ...},
}
_IMAGE_USAGE: Shape = {**_COUNTED, "input_tokens_details": _IN_IMAGES, "output_tokens_details": _IN_IMAGES}
_ALL_TEXT = {"input_tokens_details": lambda used: {"image_tokens": 0, "text_tokens": used["input_tokens"]}}
_IMAGE_USAGE |= {NEEDS: {**_COUNTED[NEEDS], **_ALL_TEXT}}
_IMAGE: Shape = {"size": str, "quality": str, "output_format": frozenset({"png", "webp", "jpeg", "gif", "svg"})}
_IMAGE |= {"background": frozenset({"transparent", "opaque", "auto"}), "usage": _IMAGE_USAGE}
IMAGES: Shape = {**_IMAGE, "created": int, "data": [{"b64_json": str, "url": str, "revised_prompt": str}]}
IMAGE_EVENT: Shape = {**_IMAGE, "type": str, "b64_json": str, "created_at": int, "partial_image_index": int}
IMAGE_EVENT |= {NEEDS: {**IMAGE_EVENT.get(NEEDS, {}), "b64_json": ...}}
_HEARD: Shape = {**_COUNTED, "type": frozenset({"tokens"}), "input_token_details": _IN_WORDS}
_HEARD |= {NEEDS: {**_COUNTED[NEEDS], "type": ...}}
_SECONDS: Shape = {"type": frozenset({"duration"}), "seconds": float, NEEDS: {"type": ..., "seconds": ...}}
_SPAN: Shape = {"start": float, "end": float}
_WORD: Shape = {**_SPAN, "word": str, NEEDS: dict.fromkeys(("start", "end", "word"), ...)}
_SPEAKER: Shape = {**_SPAN, "id": str, "speaker": str, "text": str, "type": frozenset({"transcript.text.segment"})}
_SPEAKER |= {NEEDS: {**dict.fromkeys((*_SPAN, "id", "speaker", "text"), ...), "type": "transcript.text.segment"}}
_SCORES: Shape = {"temperature": float, "avg_logprob": float, "compression_ratio": float, "no_speech_prob": float}
_SEGMENT: Shape = {**_SPAN, **_SCORES, "id": int, "seek": int, "text": str, "tokens": [int]}
_SEGMENT |= {NEEDS: {**dict.fromkeys((*_SPAN, "id", "text"), ...), "seek": 0, "tokens": [], **dict.fromkeys(_SCORES, 0.0)}}
_HEARD_TOKEN: Shape = {"token": str, "logprob": float, "bytes": [int]}
TRANSCRIPT: Shape = {
    "text": str,
    "task": str,
    "language": str,
    "duration": float,
    "segments": ([_SPEAKER], [_SEGMENT]),
    "words": [_WORD],
    "logprobs": [_HEARD_TOKEN],
    "languages": [{"code": str, NEEDS: {"code": ...}}],
    "usage": (_HEARD, _SECONDS),
    NEEDS: {"text": ""},
}
_PART: Shape = {
    **_SPAN,
    **{name: TRANSCRIPT[name] for name in ("text", "logprobs", "languages", "usage")},
    **dict.fromkeys(("type", "delta", "segment_id", "id", "speaker"), str),
}
TRANSCRIPT_EVENT: Shape = (
    {**_PART, "type": frozenset({"transcript.text.delta"}), NEEDS: {"type": ..., "delta": ""}},
    {**_PART, "type": frozenset({"transcript.text.done"}), NEEDS: {"type": ..., "text": ""}},
    _PART,
)
_BILLED: Shape = dict.fromkeys(
    ("images", "input_tokens", "image_tokens", "text_tokens", "output_tokens", "search_units", "classifications", "pages"), float
)
_VERSION: Shape = {"version": str, "is_deprecated": bool, "is_experimental": bool, NEEDS: {"version": ...}}
_FOUND: Shape = {"start": int, "end": int, "score": float, NEEDS: dict.fromkeys(("start", "end", "score"), ...)}
_RANKED: Shape = {"index": int, "relevance_score": float, "relevant_spans": [_FOUND]}
_RANKED |= {NEEDS: {"index": ..., "relevance_score": ...}}
RERANKED: Shape = {
    "id": str,
    "results": [_RANKED],
    "meta": {"api_version": _VERSION, "billed_units": _BILLED, "tokens": _BILLED, "cached_tokens": float, "warnings": [str]},
    NEEDS: {"results": ...},
}
_ITEMS: Shape = [{"type": str, NEEDS: {"type": ...}}]
STORED_RESPONSE: Shape = {"id": str, "object": frozenset({"response"}), "created_at": float, "model": str, "output": _ITEMS}
STORED_RESPONSE |= {NEEDS: {"id": ..., "object": ..., "output": ...}}
STORED_ITEMS: Shape = {"object": frozenset({"list"}), "data": _ITEMS, "has_more": bool, NEEDS: {"object": "list", "data": ...}}
"""What a provider keeps of Responses, and is asked for."""
_ANSWER = frozenset({"choices", "message", "delta", "text", "content", "refusal", "reasoning_content", "index"})
_ANSWER |= {"tool_calls", "function", "function_call", "custom", "arguments", "input", "name"}
_ANSWER |= {"data", "embedding", "b64_json", "url", "results", "relevance_score"}
_ANSWER |= {"candidates", "parts", "functionCall", "function_call", "inlineData", "inline_data", "args"}
"""Fields that are the answer itself: what can't be read of them is not left out, unless it is empty."""

_PLAIN_HEAD = frozenset({"id", "object", "created", "model", "choices", "usage"})
_PLAIN_HEAD |= {"system_fingerprint", "service_tier", "obfuscation"}
_PLAIN_CHOICE = frozenset({"index", "delta", "finish_reason", "logprobs"})
_PLAIN_DELTA = frozenset({"role", "content", "refusal", "reasoning_content"})
_LATEST = 2**63
_URL_SAFE = str.maketrans("-_", "+/")
FLOAT_BYTES, TOO_LARGE = 4, 2.0**128
"""The bounds of numbers in 32 bits."""

SHAPES: Mapping[str, Shape] = {
    "chat_completions": CHAT,
    "completions": COMPLETION,
    "embeddings": EMBEDDINGS,
    **dict.fromkeys(("images_generations", "images_edits", "images_variations"), IMAGES),
    **dict.fromkeys(("audio_transcriptions", "audio_translations"), TRANSCRIPT),
    "rerank": RERANKED,
}
"""Of a whole answer, by operation. Moderations are made anew of what a provider says, and sound is bytes."""
EVENT_SHAPES: Mapping[str, Shape] = {
    "chat_completions": CHAT,
    "completions": COMPLETION,
    **dict.fromkeys(("images_generations", "images_edits"), IMAGE_EVENT),
    **dict.fromkeys(("audio_transcriptions", "audio_translations"), TRANSCRIPT_EVENT),
}
"""Of each event of a streamed one. Those of speech are made here, of its bytes."""


def conform(body: JSON, shape: Shape) -> JSON:
    """Raises BadGatewayError."""
    if _is_plain(body):
        return body
    try:
        made: JSON = _read(body, shape)
    except _Wrong as wrong:
        message = f"The provider's answer has something in '{wrong}' that is not of its type."
        raise BadGatewayError(message, code="invalid_provider_response") from None
    return made


class _Wrong(Exception):
    """A value has another type. The message is the field's name."""


def _is_plain(body: JSON) -> bool:
    """Whether it is a chunk with some text and nothing else, as most are, whose head has been seen to."""
    choices = body.get("choices")
    if type(choices) is not list or len(choices) != 1 or not body.keys() <= _PLAIN_HEAD or body.get("usage") is not None:
        return False
    choice = choices[0]
    if type(choice) is not dict or not choice.keys() <= _PLAIN_CHOICE or choice.get("logprobs") is not None:
        return False
    delta, reason = choice.get("delta"), choice.get("finish_reason")
    if type(delta) is not dict or not delta.keys() <= _PLAIN_DELTA or type(choice.get("index")) is not int:
        return False
    texts = (*delta.values(), body.get("system_fingerprint"), body.get("obfuscation"))
    tier = body.get("service_tier")
    known = (reason is None or (type(reason) is str and reason in _REASONS)) and (
        tier is None or (type(tier) is str and tier in _TIERS)
    )
    return known and all(text is None or type(text) is str for text in texts)


def _read(value: Any, shape: Shape) -> Any:
    """The value as its shape has it, the same object where it is. Raises _Wrong."""
    if isinstance(shape, dict):  # not any mapping: asking whether a thing is one of those takes longer than all else here
        return _fields(value, shape)
    if isinstance(shape, list):
        return _items(value, shape[0])
    if isinstance(shape, frozenset):
        if type(value) is str and value in shape:
            return value
        raise _Wrong
    if isinstance(shape, tuple):
        return _either(value, shape)
    if shape is VECTOR:
        return _vector(value)
    if shape is BASE64:
        return _bytes(value)
    if type(value) is shape or (shape is float and type(value) is int):
        if shape is float and not math.isfinite(value):
            raise _Wrong
        return value
    if shape is str and type(value) in (int, float):
        return str(value)
    if shape is int and type(value) is float and value.is_integer() and abs(value) < _LATEST:
        return int(value)
    raise _Wrong


def _fields(value: Any, shape: Mapping[str, Shape]) -> Any:
    if type(value) is not dict:
        raise _Wrong
    made: JSON = {}
    for name, inner in shape.items():
        found = value.get(name)
        if found is None or name == NEEDS:
            continue
        try:
            read = _read(found, inner)
        except _Wrong as wrong:
            if name in _ANSWER and (found or inner is _WHOLE_FUNCTION):
                raise _Wrong(str(wrong) or name) from None
            read = None
        if read is not found:
            made[name] = read
    for name, otherwise in shape.get(NEEDS, {}).items():
        if made.get(name, value.get(name)) is None:
            if otherwise is ... or (isinstance(otherwise, tuple) and not any(value.get(other) for other in otherwise)):
                raise _Wrong(name)
            if not isinstance(otherwise, tuple):
                made[name] = otherwise({**value, **made}) if callable(otherwise) else otherwise
    return {**value, **made} if made else value


def _either(value: Any, shapes: tuple[Shape, ...]) -> Any:
    """The value, read as the first of these shapes that it fits. Raises _Wrong."""
    for shape in shapes:
        try:
            return _read(value, shape)
        except _Wrong:
            continue
    raise _Wrong


def _vector(value: Any) -> Any:
    """Looked at as a whole: a request may bring a million numbers."""
    try:
        if type(value) is str and len(base64.b64decode(value, validate=True)) % FLOAT_BYTES == 0:
            return value
        is_numbers = type(value) is list and {*map(type, value)} <= {int, float} and math.isfinite(sum(value))
        if is_numbers and max(map(abs, value), default=0) < TOO_LARGE:
            return value
    except (OverflowError, binascii.Error, ValueError):
        pass
    raise _Wrong


def _bytes(value: Any) -> Any:
    """The last letters have to be those that the bytes are written with, too. Padding that is too long is cut."""
    try:
        if type(value) is str:
            written = value.rstrip("=")
            letters, padding = written.translate(_URL_SAFE), "=" * (-len(written) % 4)
            rest = letters[len(letters) // 4 * 4 :]
            if not rest or base64.b64encode(base64.b64decode(rest + "==")).decode().rstrip("=") == rest:
                base64.b64decode(letters + padding, validate=True)
                return value if len(value) <= len(written + padding) else written + padding
    except (binascii.Error, ValueError):
        pass
    raise _Wrong


def _items(value: Any, shape: Shape) -> Any:
    """The items of a list. Where they are floats some may be null, as the log probability of a prompt's first token is. Raises
    _Wrong."""
    if type(value) is not list:
        raise _Wrong
    sparse = shape is float
    read = [item if item is None and sparse else _read(item, shape) for item in value]
    return read if any(new is not old for new, old in zip(read, value, strict=True)) else value
