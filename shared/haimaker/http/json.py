"""JSON as the standard has it, of text from outside: no NaN, no infinity, nothing nested without end. Pure.

https://www.rfc-editor.org/rfc/rfc8259
"""

import json
from typing import Any, NoReturn

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON

MAX_DEPTH = 200


def parse_json(raw: bytes) -> JSON:
    """A JSON object in UTF-8, without NaN or infinity, not nested too deep. Raises BadRequestError."""
    try:
        body = loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _not_json(f"it is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise _not_json(str(error).partition("; use sys.")[0]) from None  # of an integer, advice for its reader's programmer
    if not isinstance(body, dict):
        raise _not_json("it must be an object")
    # As few brackets as this can't nest too deep: most bodies need no look inside.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise _too_deep()
    return body


def loads(text: str) -> Any:
    """JSON as the standard has it: NaN, infinity and what is too large for a float are none. Raises ValueError."""
    return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)


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


def _depth(value: Any) -> int:
    """How deep containers are nested, without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return depth
