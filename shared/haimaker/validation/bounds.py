"""How much of what comes from outside is taken: texts, lists and names, for every schema. Pure.

Without a bound on its number of things, a body of 6 MB costs minutes to refuse: each wrong item becomes an error of its own. So
each list has a length and stops at its first wrong item, each text has a length, and `http/json.py` bounds how many values a body
has at all, which also holds for what no schema names.
"""

from typing import Annotated, Any

from haimaker.http.json import MAX_TOKEN_IDS
from haimaker.lean_dataclasses import dataclass
from haimaker.lean_pydantic import AfterValidator, Field, PydanticKnownError, StrictInt, StrictStr

MAX_TEXT = 8 * 1024 * 1024
"""Characters: more than a request can have bytes, whose limit is what bounds a text."""
MAX_NAME = 512
"""Characters of what names something: a model, a user, a voice."""
MAX_ITEMS = 10_000
"""The most items of a list of things: messages, tools, documents."""
MAX_PARTS = 4_096
"""The most items of a list in each item of another one, as of a message's content."""


@dataclass(frozen=True, slots=True)
class AtMost:
    """A bound on a text that may hold lone surrogates, which JSON can write and pydantic's own bound does not take."""

    length: int

    def __call__(self, text: str) -> str:
        if len(text) > self.length:
            raise PydanticKnownError("string_too_long", {"max_length": self.length})
        return text


Name = Annotated[StrictStr, AfterValidator(AtMost(MAX_NAME))]
Text = Annotated[StrictStr, AfterValidator(AtMost(MAX_TEXT))]
SomeText = Annotated[StrictStr, Field(min_length=1, max_length=MAX_TEXT)]
Objects = Annotated[list[dict[str, Any]], Field(max_length=MAX_ITEMS, fail_fast=True)]
Parts = Annotated[list[dict[str, Any]], Field(max_length=MAX_PARTS, fail_fast=True)]
TokenIds = Annotated[list[StrictInt], Field(min_length=1, max_length=MAX_TOKEN_IDS, fail_fast=True)]
