"""Contents of Google's Gemini API as the messages of a chat. Pure.

https://ai.google.dev/api/caching#Content. Its JSON has two spellings of every name, `inlineData` and `inline_data`; both are read.
What a vendor signed comes back in `thoughtSignature` (`gemini_thoughts.py`).
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from haimaker.api.formats import gemini_thoughts
from haimaker.api.formats.account_ids import is_googles_file
from haimaker.http.errors import BadRequestError, NotFoundError, invalid_parameter
from haimaker.http.json import as_list, as_object
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

SOUNDS: Mapping[str, str] = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "pcm": "pcm16", "l16": "pcm16"}
"""Subtypes of audio whose format has another name in OpenAI's."""
TEXTS = ("text/", "application/json")
FILE_URI = ("fileUri", "file_uri")
RESULT_FIELDS = ("output", "result")
"""Under which a text that is the whole result of a function stands."""


def to_camel(name: str) -> str:
    """The name as Google's JSON writes it: `inline_data` is `inlineData`."""
    if "_" not in name:  # of a body with 100,000 names nearly all
        return name
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def with_camel_names(given: JSON) -> JSON:
    """An object with its own names spelled in one way; what is inside them stays."""
    return {to_camel(name): value for name, value in given.items()} if any("_" in name for name in given) else given


@dataclass(slots=True)
class Conversation:
    """The messages so far, and which calls still wait for their result."""

    messages: list[JSON] = field(default_factory=list)
    waiting: list[tuple[str, str, str]] = field(default_factory=list)
    """Of each call: its id in the chat, the one that Google's clients know, its name."""
    calls: int = 0
    refusal: BadRequestError | None = None
    """Why it can't be said to another vendor's model."""

    def read(self, asked: JSON) -> list[JSON]:
        if system := parts_of(asked.get("systemInstruction"), "systemInstruction"):
            self._add("system", self._known(system))
        contents = asked.get("contents")
        contents = [contents] if isinstance(contents, dict | str) else contents
        if not isinstance(contents, list) or not contents:
            raise invalid_parameter("contents", "it must be a list with at least one content")
        for index, content in enumerate(contents):
            self._turn(content, f"contents[{index}]")
        if all(message["role"] == "system" for message in self.messages):
            raise invalid_parameter("contents", "there is nothing in them")
        return self.messages

    def _turn(self, content: Any, param: str) -> None:
        role = (content.get("role") or "user") if isinstance(content, dict) else "user"
        if role not in ("user", "model", "function", "system"):
            raise invalid_parameter(f"{param}.role", "it must be user or model")
        parts = parts_of(content, param)
        if role == "model":
            self._said(parts)
        else:
            self._asked("system" if role == "system" else "user", parts)

    def _asked(self, role: str, parts: Sequence[tuple[JSON, str]]) -> None:
        """A turn of the user's: the results of functions, each a message of its own, then the rest."""
        rest: list[JSON] = []
        for part, param in parts:
            if "functionResponse" in part:
                self._result(with_camel_names(read_object(part["functionResponse"], param)), f"{param}.functionResponse")
            else:
                rest += self._known([(part, param)])
        if rest:
            self._add(role, rest)

    def _known(self, parts: Sequence[tuple[JSON, str]]) -> list[JSON]:
        """The parts that a chat has as well."""
        # A call of a tool that Google ran itself, or its result, is of no use to anyone else.
        made = [(_part(part, param), param) for part, param in parts if part.keys().isdisjoint(("toolCall", "toolResponse"))]
        for part, param in made:
            if part is None:
                self.refusal = self.refusal or invalid_parameter(param, "the model takes no part of this kind")
        return [part for part, _ in made if part is not None]

    def _result(self, result: JSON, param: str) -> None:
        identifier, name = result.get("id"), result.get("name")
        by_id = [call for call in self.waiting if call[1] == identifier]
        found = by_id or [call for call in self.waiting if call[2] == name]
        if not found:
            self.refusal = self.refusal or invalid_parameter(f"{param}.name", "it answers no function call of an earlier content")
            return
        self.waiting.remove(found[0])
        message: JSON = {"role": "tool", "tool_call_id": found[0][0], "content": _result_text(result.get("response"))}
        parts = result.get("parts") or ()
        media = self._known([(with_camel_names(read_object(part, param)), f"{param}.parts[{at}]") for at, part in enumerate(parts)])
        if media:
            message["content"] = [{"type": "text", "text": message["content"]}, *media]
        self.messages.append(message)

    def _said(self, parts: Sequence[tuple[JSON, str]]) -> None:
        """A turn of the model's as one message, with what its thoughts were signed with where their maker looks for it."""
        message: JSON = {"role": "assistant", "content": None}
        said: list[JSON] = []
        for part, param in parts:
            signature = part.get("thoughtSignature")
            if "functionCall" in part:
                message.setdefault("tool_calls", []).append(
                    self._call(with_camel_names(read_object(part["functionCall"], param)), signature, param)
                )
                continue
            if part.get("thought") is True:
                message["reasoning_content"] = message.get("reasoning_content", "") + str(part.get("text") or "")
            elif part.get("text") != "":
                said += self._known([(part, param)])
            message |= gemini_thoughts.to_message_fields(signature)
        if said:
            message["content"] = _content(said)
        if len(message) > 2 or said:
            self.messages.append(message)

    def _call(self, call: JSON, signature: Any, param: str) -> JSON:
        name = call.get("name")
        if not isinstance(name, str) or not name:
            raise invalid_parameter(f"{param}.functionCall.name", "it must be a string")
        self.calls += 1
        identifier = call["id"] if isinstance(call.get("id"), str) and call["id"] else f"call_{self.calls}"
        known, identifier = identifier, gemini_thoughts.to_call_id(identifier, signature)
        self.waiting.append((identifier, known, name))
        arguments = json.dumps(call.get("args") or {}, ensure_ascii=False)
        return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}

    def _add(self, role: str, parts: list[JSON]) -> None:
        self.messages.append({"role": role, "content": _content(parts)})


def _content(parts: list[JSON]) -> Any:
    """One text as a string, which every provider takes."""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def parts_of(content: Any, param: str) -> list[tuple[JSON, str]]:
    """The parts of a content, each with its place. A text alone is one part, and one part may stand without a list."""
    if content is None:
        return []
    parts = content if isinstance(content, str) else read_object(content, param).get("parts")
    parts = [{"text": parts}] if isinstance(parts, str) else [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list):
        raise invalid_parameter(f"{param}.parts", "it must be a list of parts")
    _refuse_files(parts, f"{param}.parts")
    return [(with_camel_names(read_object(part, f"{param}.parts[{at}]")), f"{param}.parts[{at}]") for at, part in enumerate(parts)]


def _refuse_files(parts: Any, param: str) -> None:
    """Raises NotFoundError for a file of the deployer's account at Google, whatever else a part has, in whichever spelling."""
    for at, part in enumerate(as_list(parts)):
        for name, value in as_object(part).items():
            kind, held = to_camel(name), as_object(value)
            if kind == "functionResponse":
                _refuse_files(held.get("parts"), f"{param}[{at}].{kind}.parts")
            elif kind == "fileData" and any(is_googles_file(held[link]) for link in FILE_URI if isinstance(held.get(link), str)):
                place = f"{param}[{at}].fileData.fileUri"
                raise NotFoundError("The file was not found.", param=place, code="file_not_found")


def _part(part: JSON, param: str) -> JSON | None:
    """None for what a chat does not have."""
    if isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if "inlineData" in part:
        return _blob(with_camel_names(read_object(part["inlineData"], f"{param}.inlineData")), f"{param}.inlineData")
    if "fileData" in part:
        return _file(with_camel_names(read_object(part["fileData"], f"{param}.fileData")), f"{param}.fileData")
    if isinstance(part.get("executableCode"), dict):
        code = with_camel_names(part["executableCode"])
        return {"type": "text", "text": f"```{str(code.get('language') or '').lower()}\n{code.get('code') or ''}\n```"}
    if isinstance(part.get("codeExecutionResult"), dict):
        return {"type": "text", "text": f"```\n{with_camel_names(part['codeExecutionResult']).get('output') or ''}\n```"}
    return None


def _blob(blob: JSON, param: str) -> JSON:
    kind, data = str(blob.get("mimeType") or "").partition(";")[0].strip().lower(), blob.get("data")
    if not isinstance(data, str) or not kind:
        raise invalid_parameter(param, "it must have a mimeType and data in base64")
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
        raise invalid_parameter(f"{param}.data", "it must be a text in UTF-8, as base64") from None


def _file(file: JSON, param: str) -> JSON:
    link, kind = file.get("fileUri"), str(file.get("mimeType") or "")
    if not isinstance(link, str) or not link:
        raise invalid_parameter(f"{param}.fileUri", "it must be a link")
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


def read_object(value: Any, param: str) -> JSON:
    if not isinstance(value, dict):
        raise invalid_parameter(param, "it must be an object")
    return value
