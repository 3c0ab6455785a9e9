"""Messages to `contents`: two roles that alternate, calls and their results side by side, the system's words apart.

https://ai.google.dev/api/caching#Content, https://ai.google.dev/gemini-api/docs/function-calling
"""

from collections.abc import Sequence

from haimaker.adapters.gemini import media, own_tools, signatures
from haimaker.adapters.gemini.shapes import refuse, required_name, required_object
from haimaker.adapters.repairs import arguments_object, is_harmless_object
from haimaker.http.errors import BadRequestError
from haimaker.http.json import as_object, as_objects, parse_json
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.models.traits import Traits

SYSTEM = ("system", "developer")
BLANK: JSON = {"text": " "}
"""A turn must have a part, and one of the user's a text."""


@dataclass(slots=True)
class _Turn:
    role: str
    parts: list[JSON] = field(default_factory=list)
    results: list[tuple[int, JSON]] = field(default_factory=list)
    """Results of the calls in the turn before, each with its call's place."""

    def content(self) -> JSON:
        results = [part for _, part in sorted(self.results, key=lambda result: result[0])]
        parts = [*results, *self.parts]
        if self.role == "user" and not results and not any("text" in part for part in parts):
            parts.append(BLANK)
        return {"role": self.role, "parts": parts}


@dataclass(slots=True)
class _Conversation:
    signs_calls: bool
    turns: list[_Turn] = field(default_factory=list)
    calls: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Place and name of the calls so far, by id with and without a signature; one that is used again means the later call."""
    count: int = 0

    def turn(self, role: str) -> _Turn:
        if not self.turns or self.turns[-1].role != role:
            self.turns.append(_Turn(role))
        return self.turns[-1]

    def add(self, message: JSON, param: str) -> None:
        role = message.get("role")
        if role in SYSTEM or role == "user":
            self.turn("user").parts += media.to_parts(message.get("content"), f"{param}.content")
        elif role in ("assistant", "model"):
            if parts := self._model_parts(message, param):
                self.turn("model").parts += parts
        elif role == "tool":
            self._add_result(message, param)
        else:
            refuse(f"{param}.role", "it must be one of system, developer, user, assistant, tool")

    def _model_parts(self, message: JSON, param: str) -> list[JSON]:
        parts = media.to_parts(message.get("content"), f"{param}.content")
        if not parts and isinstance(message.get("refusal"), str):
            parts = media.to_parts(message["refusal"], param)
        if parts and (signature := signatures.from_extra_content(message)):
            parts[-1] = {**parts[-1], "thoughtSignature": signature}
        parts += [_image(image, f"{param}.images[{index}]") for index, image in enumerate(as_objects(message.get("images")))]
        own = own_tools.read(message) if self.signs_calls else []
        return own + parts + self._call_parts(message, param)

    def _call_parts(self, message: JSON, param: str) -> list[JSON]:
        calls = [self._call(call, f"{param}.tool_calls[{index}]") for index, call in enumerate(message.get("tool_calls") or ())]
        if self.signs_calls and calls and not any("thoughtSignature" in call for call in calls):
            calls[0]["thoughtSignature"] = signatures.NOT_CHECKED
        return calls

    def _call(self, call: JSON, param: str) -> JSON:
        call_id = call.get("id")
        made = _function_call(required_object(call.get("function"), f"{param}.function"), f"{param}.function")
        base, signature = signatures.from_call_id(call_id)
        self.count += 1
        self.calls.update({known: (self.count, made["name"]) for known in (base, call_id) if isinstance(known, str)})
        if self.signs_calls and base:
            made["id"] = base
        signature = signatures.from_extra_content(call) or signature
        return {"functionCall": made, **({"thoughtSignature": signature} if signature else {})}

    def _add_result(self, message: JSON, param: str) -> None:
        call_id = message.get("tool_call_id")
        place, name = self.calls.get(call_id if isinstance(call_id, str) else "", (self.count, message.get("name")))
        if not isinstance(name, str) or not name:
            refuse(f"{param}.tool_call_id", "it names no tool call of an earlier message")
        base, _ = signatures.from_call_id(call_id)
        parts = media.to_parts(message.get("content"), f"{param}.content")
        texts = [part["text"] for part in parts if "text" in part]
        others = [part for part in parts if "text" not in part]
        response: JSON = {"name": name, "response": _response("".join(texts))}
        if self.signs_calls:
            response = {**({"id": base} if base else {}), **response, **({"parts": others} if others else {})}
        turn = self.turn("user")
        turn.results.append((place, {"functionResponse": response}))
        turn.parts += [] if self.signs_calls else others


def to_contents(messages: Sequence[JSON], traits: Traits) -> tuple[list[JSON], list[JSON]]:
    """The parts of the system instruction and the contents. What the system says later than first stays in its place,
    as a user's words: moved to the front it would change what a cache knows as the beginning."""
    conversation = _Conversation(traits.signs_calls)
    system: list[JSON] = []
    leading = traits.takes_system
    for index, message in enumerate(messages):
        leading = leading and message.get("role") in SYSTEM
        if leading:
            system += media.to_parts(message.get("content"), f"messages[{index}].content")
        else:
            conversation.add(message, f"messages[{index}]")
    turns = conversation.turns
    if not turns or turns[0].role != "user":
        turns.insert(0, _Turn("user"))
    return system, [turn.content() for turn in turns]


def _function_call(function: JSON, param: str) -> JSON:
    name = required_name(function.get("name"), f"{param}.name")
    return {"name": name, "args": arguments_object(function.get("arguments"))}


def _response(text: str) -> JSON:
    """A result must be an object; a text that is none is the `output` of one, which is the name that Google gives it."""
    found = _parse_object(text)
    return found if found and is_harmless_object(found) else {"output": text}


def _parse_object(text: str) -> JSON | None:
    """A JSON object in a text, if it is one."""
    try:
        return parse_json(text.encode("utf-8", "surrogatepass"))
    except BadRequestError:
        return None


def _image(image: JSON, param: str) -> JSON:
    """An image that the model made, as `from_upstream` shows it."""
    link = required_name(as_object(image.get("image_url")).get("url"), f"{param}.image_url.url")
    signature = signatures.from_extra_content(image)
    return {**media.from_link(link, param, "image/png"), **({"thoughtSignature": signature} if signature else {})}
