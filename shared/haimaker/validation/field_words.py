"""What pydantic found wrong with a value, in plain words: what the value must be or have. Pure.

https://docs.pydantic.dev/latest/errors/validation_errors/ has the kinds of errors; `WORDS` has those that the types of our
fields can lead to.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from haimaker.validation.shapes import WORDS as TYPES

WORDS: Mapping[str, str] = {
    **dict.fromkeys(("bool_type", "bool_parsing"), f"be {TYPES[bool]}"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), f"be {TYPES[int]}"),
    **dict.fromkeys(("float_type", "float_parsing"), f"be {TYPES[float]}"),
    **dict.fromkeys(("list_type", "tuple_type"), f"be {TYPES[list]}"),
    **dict.fromkeys(("dict_type", "model_type"), f"be {TYPES[dict]}"),
    "string_type": f"be {TYPES[str]}",
    "string_unicode": "be text in valid Unicode",
    "literal_error": "be {expected}",
    "finite_number": "be a finite number",
    "int_parsing_size": "be a number of fewer digits",
    "greater_than_equal": "be at least {ge}",
    "less_than_equal": "be at most {le}",
    "string_too_short": "have at least {min_length} characters",
    "string_too_long": "have at most {max_length} characters",
    "too_short": "have at least {min_length} items",
    "too_long": "have at most {max_length} items",
    "string_pattern_mismatch": "match {pattern}",
}
"""By the error's kind, what follows "must"; in braces what the error's context has."""
LEAST = ("string_too_short", "too_short")


def words_of(kind: str, context: Mapping[str, Any], patterns: Mapping[str, str]) -> str:
    """What follows "must"; `patterns` has the words of patterns that a text has to match."""
    if kind in LEAST and context["min_length"] == 1:
        return "not be empty"
    if kind == "string_pattern_mismatch" and context["pattern"] in patterns:
        return patterns[context["pattern"]]
    return WORDS.get(kind, "be another value").format(**context)


def join_words(alternatives: Sequence[str]) -> str:
    """`be a string` and `be a list` as `be a string or a list`; a whole number is a number, and not said beside it."""
    number, whole = f"be {TYPES[float]}", f"be {TYPES[int]}"
    kept = list(dict.fromkeys(words for words in alternatives if words != whole or number not in alternatives))
    said = kept[0]
    for before, words in pairwise(kept):
        both_be = before.startswith("be ") and words.startswith("be ")
        said += f" or {words.removeprefix('be ') if both_be else words}"
    return said
