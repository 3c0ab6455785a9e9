"""An answer in JSON from a provider that can't be given a schema for it, or not in this situation: a tool whose input is the
answer, and which the model must call. Whole and streamed, the call becomes the text. Pure.
"""

from haimaker.adapters import Adapter
from haimaker.adapters.transform import Transform, called_function
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

NAME = "json_answer__"
DESCRIPTION = "Gives the answer to the user. Call it with the whole answer as its input, instead of writing text."
ANY_OBJECT: JSON = {"type": "object", "additionalProperties": True}


def with_answer_tool(chat: Adapter, body: JSON) -> Transform:
    return Transform(chat, lambda body: (_with_tool(body), ()), lambda: _Reader().choice)


def wants_answer_tool(body: JSON, situations: tuple[str, ...]) -> bool:
    """Whether the format that a chat wants is one that a row's `answer_tool` is about."""
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind not in ("json_object", "json_schema") or isinstance(body.get("tool_choice"), dict):
        return False  # the choice of one tool says what comes, and it is no text
    return (kind == "json_schema" and "schema" in situations) or (bool(body.get("tools")) and "tools" in situations)


@dataclass(slots=True)
class _Reader:
    """Reads one answer: calls of the answer tool become text, and the others are numbered without them."""

    _places: dict[tuple[int, int], int | None] = field(default_factory=dict)
    """Of calls in a stream, by choice and their place in it: the place that the client sees, None for the answer."""

    def choice(self, choice: JSON, holder: str) -> JSON:
        message = choice.get(holder)
        calls = message.get("tool_calls") if isinstance(message, dict) else None
        made: JSON = {}
        if isinstance(message, dict) and isinstance(calls, list) and calls:
            others, texts = self._split_calls(calls, choice["index"], holder)
            made[holder] = _with_text(message, others, "".join(texts))
        has_calls = any(place is not None for (at, _), place in self._places.items() if at == choice["index"])
        if choice.get("finish_reason") == "tool_calls" and not has_calls:
            made["finish_reason"] = "stop"
        return {**choice, **made} if made else choice

    def _split_calls(self, calls: list[JSON], choice: int, holder: str) -> tuple[list[JSON], list[str]]:
        """The client's calls, and the pieces of the answer."""
        others, texts = [], []
        for at, call in enumerate(calls):
            place = self._place(call, (choice, call["index"] if holder == "delta" else at))
            if place is None:
                texts.append(str(called_function(call).get("arguments") or ""))
            else:
                others.append({**call, "index": place} if holder == "delta" else call)
        return others, texts

    def _place(self, call: JSON, theirs: tuple[int, int]) -> int | None:
        if theirs not in self._places:
            shown = sum(place is not None for (choice, _), place in self._places.items() if choice == theirs[0])
            self._places[theirs] = None if called_function(call).get("name") == NAME else shown
        return self._places[theirs]


def _with_text(message: JSON, calls: list[JSON], text: str) -> JSON:
    kept = {name: value for name, value in message.items() if name != "tool_calls"}
    before = message.get("content")
    written = {"content": (before if isinstance(before, str) else "") + text} if text else {}
    return {**kept, **written, **({"tool_calls": calls} if calls else {})}


def _with_tool(body: JSON) -> JSON:
    wanted = body["response_format"]
    given = wanted.get("json_schema")
    schema = given.get("schema") if isinstance(given, dict) else None
    told = given.get("description") if isinstance(given, dict) else None
    function = {
        "name": NAME,
        "description": f"{DESCRIPTION} {told}" if isinstance(told, str) and told else DESCRIPTION,
        "parameters": {"type": "object", **schema} if isinstance(schema, dict) and schema else ANY_OBJECT,
    }
    kept = {name: value for name, value in body.items() if name not in ("response_format", "tools", "tool_choice")}
    others = [] if body.get("tool_choice") == "none" else body.get("tools") or []
    choice = "required" if others else {"type": "function", "function": {"name": NAME}}
    return {**kept, "tools": [*others, {"type": "function", "function": function}], "tool_choice": choice}
