"""Strategies for bodies that nobody would write: random trees of JSON, and good bodies with one place of them changed."""

import json
from typing import Any

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 10**9 + 1, 2**63, 10**40, -0.0, 1e308])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXT
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something is inside of a body."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, item in inner for place in places(item, (*path, name)))]


def put(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the body with something else in one place."""
    if not path:
        return value
    copy = dict(body) if isinstance(body, dict) else list(body)
    copy[path[0]] = put(body[path[0]], path[1:], value)
    return copy


def mutated(body: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """A good body with something else in one of its places, or with bytes of it replaced."""
    raw = json.dumps(body).encode()
    other_values = st.tuples(st.sampled_from(places(body)), TREES).map(lambda change: json.dumps(put(body, *change)).encode())
    cuts = st.tuples(st.integers(0, len(raw)), st.integers(0, 20), st.binary(max_size=6))
    return other_values | cuts.map(lambda cut: raw[: cut[0]] + cut[2] + raw[cut[0] + cut[1] :])
