"""`haimaker.lean_pydantic` beside pydantic: the same classes, made of either's names, read the same and refuse the same."""

from types import ModuleType
from typing import Annotated, Any, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker import lean_pydantic


def _declare(names: ModuleType) -> Any:
    """Every kind of field that a class of ours has."""
    field, model = names.Field, names.BaseModel
    short = Annotated[names.StrictStr, field(min_length=1, max_length=4)]
    numeric = names.StrictInt | names.StrictFloat
    halved = Annotated[names.StrictInt, names.AfterValidator(lambda value: value - value % 2)]
    amount = Annotated[Annotated[numeric, field(ge=0, le=9)], names.BeforeValidator(lambda value: 3 if value == "three" else value)]

    class Inner(model):  # type: ignore[misc, valid-type]
        model_config = names.ConfigDict(extra="forbid", frozen=True)

        a: amount = field(validation_alias=names.AliasChoices("a", "b"))
        c: Literal["x", "y"] | None = field(None, validation_alias=names.AliasChoices("c", "d"))

    class Basis(model):  # type: ignore[misc, valid-type]
        model_config = names.ConfigDict(extra="ignore", frozen=True, defer_build=True)

        text: short
        strict: names.StrictBool | None = None
        lax: bool = False

    class Whole(Basis):  # type: ignore[misc, valid-type]
        text: short = "abc"
        count: Annotated[names.StrictInt, field(ge=1, le=3)] | None = None
        lax_float: Annotated[float, field(ge=0, le=2, allow_inf_nan=False)] | None = None
        number: Annotated[numeric, field(ge=0.5, le=4)] | None = None
        even: halved | None = None
        either: short | Annotated[list[short], field(max_length=2, fail_fast=True)] | Inner | None = None
        objects: Annotated[list[dict[str, Any]], field(max_length=2, fail_fast=True)] | None = None
        words: Annotated[tuple[Literal["x", "y"], ...], field(max_length=2, fail_fast=True)] = ()
        inners: Annotated[dict[short, Inner], field(max_length=2)] | None = None
        pattern: Annotated[names.StrictStr, field(pattern="^(-1|a+)$", max_length=3)] | None = None

    return Whole


OURS, THEIRS = _declare(lean_pydantic), _declare(pydantic)
TEXTS = st.sampled_from(["", "x", "y", "a", "aaaa", "-1", "three", "1.5"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 11) | st.floats(-1, 10) | st.just(float("nan")) | TEXTS
NAMES = st.sampled_from(["a", "b", "c", "d", "text", "x"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6)
BODIES = st.dictionaries(st.sampled_from([*OURS.model_fields, "unknown"]), VALUES, max_size=4)


def _read(kind: Any, body: object) -> object:
    try:
        found = kind.model_validate(body)
    except lean_pydantic.ValidationError as error:
        return error.errors(include_url=False, include_context=False)
    inner = {name: value for name, value in vars(found).items() if type(value).__name__ == "Inner"}
    return repr(found), found.model_fields_set, [value.model_fields_set for value in inner.values()]


@given(BODIES)
def test_both_read_the_same(body: dict[str, Any]) -> None:
    assert _read(OURS, body) == _read(THEIRS, body)


@pytest.mark.parametrize(
    "body",
    [
        *({"text": 1}, {"text": "abcde"}, {"lax": "yes", "lax_float": "1.5", "words": ["x"]}, {"strict": "yes"}),
        *({"count": 1.0}, {"count": 4}, {"number": 9}, {"number": 0.1}, {"even": 3}),
        *({"either": []}, {"either": ["a", 1, 2]}, {"either": {"b": "three", "d": "x"}}, {"either": {"a": 1, "e": 1}}),
        *({"inners": {"a": {"b": 1}, "": {"a": 1}}}, {"inners": {"a": {}}}, {"pattern": "b"}, {"objects": [1, 2]}),
        *([], None),
    ],
    ids=str,
)
def test_each_kind_of_field(body: object) -> None:
    assert _read(OURS, body) == _read(THEIRS, body)


def test_a_copy_has_other_values_and_nothing_can_be_assigned() -> None:
    ours, theirs = (kind.model_validate({"count": 1}).model_copy(update={"lax": True}) for kind in (OURS, THEIRS))
    assert (repr(ours), ours.model_fields_set) == (repr(theirs), theirs.model_fields_set)
    assert ours != OURS.model_validate({"count": 1})
    assert ours == OURS.model_validate({"count": 1, "lax": True})
    with pytest.raises(AttributeError):
        ours.count = 2
