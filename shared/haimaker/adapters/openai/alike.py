"""Chunks that differ from one before them in their text only: the same bytes stand before and after it, nothing in it is escaped.

Most of a stream is such chunks. One has the structure of the other, whatever that is, so that what became of the other becomes of
it, with its own text in the place: it need not be parsed, nor looked through. Pure.
"""

import re
from typing import NamedTuple, Self

from haimaker.http.json import read_or_none
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, StreamEvent
from haimaker.lean_dataclasses import dataclass
from haimaker.operations.stream_usage import text_bytes

PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
"""What stands for itself in a JSON string: https://www.rfc-editor.org/rfc/rfc8259#section-7"""
MARK, OTHER_MARK = "haimaker's mark", "haimaker's other märk"
TEXTS = ("content", "reasoning_content", "reasoning")
PADDING = "obfuscation"
"""Random letters that OpenAI adds, so that the length of a chunk does not tell that of its text:
https://platform.openai.com/docs/api-reference/chat-streaming/streaming#chat_streaming-obfuscation"""
MOST_CREDIT = 8


class _Place(NamedTuple):
    """Where the text of a chunk is: the field, below `delta` or in the choice itself."""

    holder: str
    name: str

    def put(self, body: JSON, text: str) -> JSON:
        """The chunk with another text in all places where it has its own."""
        [choice] = body["choices"]
        if self.holder == "text":
            return {**body, "choices": [{**choice, "text": text}]}
        delta = choice["delta"]
        own = delta[self.name]
        names = [name for name in TEXTS if delta.get(name) == own]
        return {**body, "choices": [{**choice, "delta": {**delta, **dict.fromkeys(names, text)}}]}


@dataclass(slots=True)
class Likeness:
    """What is around the text of a chunk, and what the client gets of it."""

    around: tuple[bytes, ...]
    """What is before the text, between it and the padding, if there is one, and behind."""
    place: _Place
    shown: JSON
    """The chunk as it is shown."""
    edited: tuple[bytes, ...] | None
    """What is around its text where it is not shown as it came."""

    @classmethod
    def of(cls, data: bytes, told: JSON, shown: JSON, holder: str) -> Self | None:
        """That of a chunk as it came, parsed and as it is shown; None where it is not certain that another text makes no other
        difference."""
        place = _place_of(told, holder)
        begins = holder == "delta" and place is not None and "role" in shown["choices"][0]["delta"]  # which is told once
        around = _around(data, told, place) if place and not begins else None
        if place is None or around is None:
            return None
        marked = place.put(shown, MARK)
        if text_bytes(marked, "delta") != len(MARK) or text_bytes(place.put(shown, ""), "delta"):
            return None
        if shown is told:
            return cls(around, place, shown, None)
        edited = tuple(dumps(marked).split(MARK.encode()))
        is_certain = OTHER_MARK.encode().join(edited) == dumps(place.put(shown, OTHER_MARK))
        return cls(around, place, shown, edited) if is_certain and len(around) == 2 else None

    def event(self, data: bytes) -> StreamEvent | None:
        """The event of a chunk that is alike, else None."""
        first, *others = self.around
        if not data.startswith(first):
            return None
        at, found = len(first), list[bytes]()
        for following in others:
            end = PLAIN.match(data, at).end()  # type: ignore[union-attr]
            if not data.startswith(following, end):
                return None
            found.append(data[at:end])
            at = end + len(following)
        if at != len(data) or not found[0]:
            return None
        try:
            texts = [each.decode() for each in found]
        except UnicodeDecodeError:
            return None
        body = self.place.put(self.shown, texts[0])
        if len(texts) > 1:
            body[PADDING] = texts[1]
        raw = data if self.edited is None else found[0].join(self.edited)
        return StreamEvent(body, raw, like=self, text_bytes=len(found[0]))


@dataclass(slots=True)
class Alike:
    """Of one stream: what its chunks have in common."""

    holder: str
    likeness: Likeness | None = None
    credit: int = MOST_CREDIT
    """How often another likeness may still be looked for in vain."""

    def read(self, data: bytes) -> StreamEvent | None:
        """The event of a chunk that is like the one that was kept."""
        event = self.likeness.event(data) if self.likeness else None
        if event:
            self.credit = MOST_CREDIT
        return event

    def keep(self, data: bytes, told: JSON, shown: JSON) -> Likeness | None:
        """Keeps a chunk, for those that are alike; None where none can be."""
        if self.credit <= 0:
            return None
        found = Likeness.of(data, told, shown, self.holder)
        if found:
            self.likeness = found
            self.credit -= 1
        return found


def _place_of(told: JSON, holder: str) -> _Place | None:
    """Where the text is of a chunk that has one text and nothing else that is remembered from one chunk to the next."""
    choices = told["choices"] if isinstance(told.get("choices"), list) else []
    if len(choices) != 1 or not isinstance(choices[0], dict) or choices[0].get("usage") or told.get("x_groq"):
        return None
    [choice] = choices
    if holder == "text":
        return _Place(holder, "text") if isinstance(choice.get("text"), str) else None
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return None
    said = [name for name, value in delta.items() if name != "role" and value not in (None, "")]
    return _Place(holder, said[0]) if len(said) == 1 and said[0] in TEXTS and isinstance(delta[said[0]], str) else None


def _around(data: bytes, told: JSON, place: _Place) -> tuple[bytes, ...] | None:
    """The bytes around the text, and around the padding, once it is certain that these are all that another text changes."""
    [choice] = told["choices"]
    text = choice["text"] if place.holder == "text" else choice["delta"][place.name]
    padding = told.get(PADDING)
    for before, after in _splits(data, text):
        if not isinstance(padding, str):
            if read_or_none(before + MARK.encode() + after) == place.put(told, MARK):
                return before, after
            continue
        for between, rest in _splits(after, padding):
            marked = before + MARK.encode() + between + OTHER_MARK.encode() + rest
            if read_or_none(marked) == {**place.put(told, MARK), PADDING: OTHER_MARK}:
                return before, between, rest
    return None


def _splits(data: bytes, text: str) -> list[tuple[bytes, bytes]]:
    """What is before and after a text, quotation marks included, at the first places where it stands."""
    try:
        quoted = b'"%b"' % text.encode()
    except UnicodeEncodeError:
        return []
    parts = data.split(quoted, 3)
    if not text or not PLAIN.fullmatch(quoted, 1, len(quoted) - 1):
        return []
    return [(quoted.join(parts[:number]) + b'"', b'"' + quoted.join(parts[number:])) for number in range(1, len(parts))]
