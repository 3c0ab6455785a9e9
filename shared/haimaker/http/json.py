"""Reads JSON from outside strictly: no NaN, no infinity, bounded in depth and in the number of values. Pure.

https://www.rfc-editor.org/rfc/rfc8259
"""

import json
from typing import Any, NoReturn

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON

MAX_DEPTH = 200
MAX_CONTAINERS = 20_000
"""Objects and lists in one body, each of which is looked at by itself; a body of 6 MB has room for 3 million. A conversation of
5,000 messages with tools has about as many."""
MAX_VALUES = 100_000
"""Values of every kind in one body; no other thread runs while they are read."""
MAX_TOKEN_IDS = 500_000
"""The same where they may be tokens: OpenAI embeds 300,000 in one request.
https://platform.openai.com/docs/api-reference/embeddings/create"""
MAX_FLOATS = 50_000
"""Numbers with a fraction or an exponent in one body; each is checked, as it may be too large for a float."""
MAX_NAMES = 50_000
"""Members of all objects in one body."""
MAX_DIGITS = 640
"""Of an integer: reading one takes the square of its length. Python takes no lower limit than this."""
MAX_NUMBER, MAX_NUMBER_LENGTH = 10**9, 16
"""What a count in a query or a header may be."""

_STRUCTURE = b'"\\{[,.:eE'
_OTHERS = bytes(set(range(256)) - set(_STRUCTURE))
_CONTAINERS = frozenset({dict, list})


def to_whole_number(text: str, least: int = 0, most: int = MAX_NUMBER) -> int | None:
    """The number that a text has in ASCII digits; None for any other text, however long, and for a number out of its bounds."""
    if len(text) > MAX_NUMBER_LENGTH or not text.isascii() or not text.isdigit():  # other scripts' digits are no numbers to `int`
        return None
    number = int(text)
    return number if least <= number <= most else None


def parse_json(raw: bytes, *, containers: int = MAX_CONTAINERS, values: int = MAX_VALUES) -> JSON:
    """A JSON object in UTF-8, without NaN or infinity, not nested too deep, of no more objects and lists, and values in all, than
    are worth reading. Raises BadRequestError."""
    try:
        body = _read(raw, containers, values)
    except UnicodeDecodeError as error:
        raise _not_json(f"it is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise _not_json(str(error).partition("; use sys.")[0]) from None  # of an integer, advice for its reader's programmer
    if not isinstance(body, dict):
        raise _not_json("it must be an object")
    # As few brackets as this can't nest too deep: most bodies need no look inside.
    if _containers(raw) > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise _too_deep()
    return body


def _read(raw: bytes, containers: int, values: int) -> Any:
    """The value of a body, whose containers and values are counted before it is read. Raises ValueError."""
    if _has_many(raw, containers, values) and _has_many(_without_texts(raw), containers, values):
        raise ValueError(f"it has too many values: over {containers} objects and lists, or over {values} in all")
    return loads(raw.decode("utf-8-sig"))


def _has_many(raw: bytes, most_containers: int, most_values: int) -> bool:
    values = raw.count(b",")
    members = min(values, raw.count(b":"))
    floats = min(values, raw.count(b".") + raw.count(b"e") + raw.count(b"E")) if values > MAX_FLOATS else 0
    return _containers(raw) > most_containers or values > most_values or members > MAX_NAMES or floats > MAX_FLOATS


def _containers(raw: bytes) -> int:
    """An upper bound of the number of objects and lists."""
    return raw.count(b"{") + raw.count(b"[")


def _without_texts(raw: bytes) -> bytes:
    """The punctuation outside of strings; the body itself where it has too many strings anyway."""
    marks = raw.translate(None, _OTHERS).replace(rb"\\", b"").replace(rb"\"", b"")
    return raw if marks.count(b'"') > MAX_TOKEN_IDS else b"".join(marks.split(b'"')[::2])


def loads(text: str) -> Any:
    """JSON as the standard has it: NaN, infinity and what is too large for a float are none. Raises ValueError."""
    return _DECODER.decode(text)


def read_or_none(raw: str | bytes | bytearray) -> Any:
    """The value of a text that is JSON; None for any other, and for one that is nested too deep to be read."""
    try:
        if isinstance(raw, bytes) and raw[:1] == b"{" and raw[1:2] != b"\0":  # UTF-8, which takes a while to find out else
            return _ANY.decode(raw.decode("utf-8", "surrogatepass"))
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def as_object(value: Any) -> JSON:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_objects(value: Any) -> list[JSON]:
    """The objects of a list; of any other value none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def _not_json(why: str) -> BadRequestError:
    return BadRequestError(f"We could not parse the JSON body of your request: {why}.", code="invalid_json")


def _too_deep() -> BadRequestError:
    return BadRequestError(f"The JSON body is nested more than {MAX_DEPTH} levels deep.", code="invalid_json")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


_ANY = json.JSONDecoder()
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _depth(value: JSON) -> int:
    """How deep containers are nested, without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [inner for outer in level for inner in _inner(outer)]
    return depth


def _inner(outer: Any) -> list[Any]:
    values = outer.values() if type(outer) is dict else outer
    if _CONTAINERS.isdisjoint(map(type, values)):  # most lists are of numbers or texts, and may be long
        return []
    return [inner for inner in values if type(inner) in _CONTAINERS]
