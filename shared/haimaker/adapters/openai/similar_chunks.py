"""Reads a chunk without parsing it, where it differs from an earlier one in its text only: same bytes before and after. Pure.

Most of a stream is such chunks. The event of the earlier chunk is used again, with the new text in its place; text with escapes is
parsed as usual.
"""

import re
from typing import NamedTuple, Self

from haimaker.http.json import read_or_none
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, StreamEvent
from haimaker.lean_dataclasses import dataclass
from haimaker.operations.stream_usage import text_bytes

PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
"""Text without escapes in a JSON string: https://www.rfc-editor.org/rfc/rfc8259#section-7"""
MARK, OTHER_MARK = "haimaker's mark", "haimaker's other märk"
TEXTS = ("content", "reasoning_content", "reasoning")
PADDING = "obfuscation"
"""Random letters that OpenAI adds, so that the length of a chunk does not tell that of its text:
https://platform.openai.com/docs/api-reference/chat-streaming/streaming#chat_streaming-obfuscation"""
MAX_TRIES = 8


class _Place(NamedTuple):
    """The field that has a chunk's text, below `delta` or in the choice itself."""

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
class ChunkTemplate:
    """A chunk that was parsed: the bytes around its text, and what the client got."""

    around: tuple[bytes, ...]
    """What is before the text, between it and the padding, if there is one, and behind."""
    place: _Place
    shown: JSON
    """The chunk as it is shown."""
    edited: tuple[bytes, ...] | None
    """What is around its text where it is not shown as it came."""

    @classmethod
    def from_chunk(cls, data: bytes, body: JSON, shown: JSON, holder: str) -> Self | None:
        """The template of a chunk, of its bytes, its `body` and what is `shown` to the client; None where another text might make
        another difference too."""
        place = _place_of(body, holder)
        begins = holder == "delta" and place is not None and "role" in shown["choices"][0]["delta"]  # which is told once
        around = _around(data, body, place) if place and not begins else None
        if place is None or around is None:
            return None
        marked = place.put(shown, MARK)
        if text_bytes(marked, "delta") != len(MARK) or text_bytes(place.put(shown, ""), "delta"):
            return None
        if shown is body:
            return cls(around, place, shown, None)
        edited = tuple(dumps(marked).split(MARK.encode()))
        is_certain = OTHER_MARK.encode().join(edited) == dumps(place.put(shown, OTHER_MARK))
        return cls(around, place, shown, edited) if is_certain and len(around) == 2 else None

    def match(self, data: bytes) -> StreamEvent | None:
        """The event of a chunk that differs in its text only, else None."""
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
        return StreamEvent(body, raw, template=self, text_bytes=len(found[0]))


@dataclass(slots=True)
class ChunkMatcher:
    """Reads the chunks of one stream by the template of an earlier one."""

    holder: str
    template: ChunkTemplate | None = None
    tries_left: int = MAX_TRIES
    """How many more templates are made before one matches: making one costs more than parsing."""

    def match(self, data: bytes) -> StreamEvent | None:
        """The event of a chunk that the template fits, else None."""
        event = self.template.match(data) if self.template else None
        if event:
            self.tries_left = MAX_TRIES
        return event

    def learn(self, data: bytes, body: JSON, shown: JSON) -> ChunkTemplate | None:
        """Makes a template of a chunk, for those that follow; None where it makes none."""
        if self.tries_left <= 0:
            return None
        template = ChunkTemplate.from_chunk(data, body, shown, self.holder)
        if template:
            self.template = template
            self.tries_left -= 1
        return template


def _place_of(body: JSON, holder: str) -> _Place | None:
    """The place of a chunk's text; None unless the chunk has one text and nothing else that is remembered from one chunk to the
    next."""
    choices = body["choices"] if isinstance(body.get("choices"), list) else []
    if len(choices) != 1 or not isinstance(choices[0], dict) or choices[0].get("usage") or body.get("x_groq"):
        return None
    [choice] = choices
    if holder == "text":
        return _Place(holder, "text") if isinstance(choice.get("text"), str) else None
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return None
    said = [name for name, value in delta.items() if name != "role" and value not in (None, "")]
    return _Place(holder, said[0]) if len(said) == 1 and said[0] in TEXTS and isinstance(delta[said[0]], str) else None


def _around(data: bytes, body: JSON, place: _Place) -> tuple[bytes, ...] | None:
    """The bytes around the text, and around the padding, once it is certain that these are all that another text changes."""
    [choice] = body["choices"]
    text = choice["text"] if place.holder == "text" else choice["delta"][place.name]
    padding = body.get(PADDING)
    for before, after in _splits(data, text):
        if not isinstance(padding, str):
            if read_or_none(before + MARK.encode() + after) == place.put(body, MARK):
                return before, after
            continue
        for between, rest in _splits(after, padding):
            marked = before + MARK.encode() + between + OTHER_MARK.encode() + rest
            if read_or_none(marked) == {**place.put(body, MARK), PADDING: OTHER_MARK}:
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
