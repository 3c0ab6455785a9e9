"""What the rules of an auto router compare: the last user message, words in it, and its similarity to examples. Pure."""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from haimaker.http.json import as_objects
from haimaker.http.values import JSON

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]] | None]
"""Vectors of texts, in their order; None if they can't be had."""
MESSAGE_LENGTH = 2_000


def last_message(body: JSON) -> str:
    """The text of the last user message, normalised and cut to MESSAGE_LENGTH; of a request without messages, its prompt."""
    messages = body.get("messages")
    said = [message.get("content") for message in as_objects(messages) if message.get("role") == "user"]
    text = _text(said[-1]) if said else _text(body.get("prompt"))
    return " ".join(unicodedata.normalize("NFKC", text[: 4 * MESSAGE_LENGTH]).split())[:MESSAGE_LENGTH]


def count_turns(body: JSON) -> int:
    return sum(message.get("role") == "user" for message in as_objects(body.get("messages")))


def has_word(text: str, words: Sequence[str]) -> bool:
    """Whether one of the words or phrases occurs as a whole, in any case."""
    return any(re.search(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", text) for word in words)


def similarity_scores(message: str, examples: Sequence[Sequence[str]], embed: Embed) -> list[float] | None:
    """The cosine of a message and the centroid of each set of examples, rounded to 4 digits, so that it is the same everywhere;
    None if `embed` has no vectors."""
    found_vectors = embed([message, *(text for each in examples for text in each)])
    if found_vectors is None:
        return None
    vectors = iter([_to_unit_vector(vector) for vector in found_vectors])
    of_message = next(vectors)
    found = []
    for each in examples:
        unit = _to_unit_vector([sum(column) for column in zip(*(next(vectors) for _ in each), strict=True)])
        found.append(round(sum(a * b for a, b in zip(of_message, unit, strict=True)), 4))
    return found


def _to_unit_vector(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(_text(part.get("text") if isinstance(part, dict) else part) for part in content[:100])
    return content if isinstance(content, str) else ""
