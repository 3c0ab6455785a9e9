"""Lean dataclasses do what the standard library's do: each class is made by both, and treated alike."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import asdict, fields
from functools import cached_property
from types import ModuleType
from typing import Any

import pytest

from haimaker import lean_dataclasses


def frozen(names: Any) -> type:
    @names.dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2
        tags: list[str] = names.field(default_factory=list)
        secret: str = names.field(default="s", repr=False)
        version: int = names.field(default=0, compare=False)

    return Point


def frozen_and_hashable(names: Any) -> type:
    @names.dataclass(frozen=True)
    class Point:
        x: int
        y: tuple[int, ...] = ()

    return Point


def mutable(names: Any) -> type:
    @names.dataclass(slots=True)
    class Point:
        x: int
        y: int = names.field(init=False)
        seen: dict[str, int] = names.field(init=False, default_factory=dict)

        def __post_init__(self) -> None:
            self.y = self.x + 1

    return Point


def inherited(names: Any) -> type:
    @names.dataclass(frozen=True)
    class Base:
        x: int
        y: int = 1

    @names.dataclass(frozen=True)
    class Point(Base):
        y: int = 5
        z: str = "z"

        def __repr__(self) -> str:
            return "mine"

    return Point


def keywords(names: Any) -> type:
    @names.dataclass(frozen=True)
    class Point:
        x: int = 0
        _: names.KW_ONLY
        y: int
        z: int = 3

    return Point


def empty(names: Any) -> type:
    @names.dataclass
    class Point:
        pass

    return Point


def no_argument() -> int:
    return 1


def functions(names: Any) -> type:
    @names.dataclass(frozen=True)
    class Point:
        x: Callable[[], int] = int
        z: Callable[[], int] = no_argument
        y: int = 0

        @property
        def called(self) -> int:
            return self.x() + self.z()

    return Point


MAKERS = [functions, frozen, frozen_and_hashable, mutable, inherited, keywords, empty]
CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}), ((1,), {}), ((1, 3), {}), ((), {"x": 1}), ((), {"y": 1}), ((1,), {"y": 7}), ((1,), {"x": 2}), ((1, (2,)), {}),
    ((1, 2, 3, 4, 5, 6), {}), ((), {"nobody": 1}), ((), {"x": 1, "z": 8}),
    ((), {"x": 1, "y": 2, "tags": ["a"], "secret": "t", "version": 9}),
]  # fmt: skip


def seen(action: Callable[[], Any]) -> Any:
    """What comes of an action, or the kind of error."""
    try:
        return action()
    except Exception as error:
        return type(error)


def outcomes(cls: type, call: tuple[tuple[Any, ...], dict[str, Any]], replace: Callable[..., Any]) -> list[Any]:
    args, named = call
    made = seen(lambda: cls(*args, **named))
    if isinstance(made, type):
        return [made]
    names = [each.name for each in fields(made)]
    return [
        {name: getattr(made, name) for name in names},
        repr(made).split(".")[-1],
        seen(lambda: made.called),
        (made == cls(*args, **named), made != object(), made == copy.copy(made), copy.deepcopy(made) == made),
        seen(lambda: hash(made) == hash(cls(*args, **named))),
        seen(lambda: asdict(made)),
        seen(lambda: repr(replace(made, x=9)).split(".")[-1]),
        seen(lambda: asdict(replace(made, x=9))),
        seen(lambda: (replace(made) == made, replace(made) is made)),
        seen(lambda: replace(made, nobody=9)),
        seen(lambda: asdict(replace(made, y=9))),
        seen(lambda: setattr(made, "x", 3)),
        seen(lambda: delattr(made, "x")),
        cls.__match_args__,  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize("call", CALLS, ids=repr)
@pytest.mark.parametrize("make", MAKERS)
def test_a_class_does_what_the_standard_librarys_does(
    make: Callable[[ModuleType], type], call: tuple[tuple[Any, ...], dict[str, Any]]
) -> None:
    lean, usual = make(lean_dataclasses), make(dataclasses)
    first = outcomes(lean, call, lean_dataclasses.replace)
    assert first == outcomes(usual, call, dataclasses.replace) == outcomes(lean, call, dataclasses.replace)
    assert outcomes(lean, call, lean_dataclasses.replace) == first, "an object after the first is made in another way"


@pytest.mark.parametrize("make", MAKERS)
def test_a_class_has_the_same_fields(make: Callable[[ModuleType], type]) -> None:
    def seen_in(names: ModuleType, cls: type) -> list[list[object]]:
        kinds = ("name", "type", "init", "repr", "compare", "kw_only", "default", "default_factory")
        found = [[getattr(each, kind) for kind in kinds] for each in names.fields(cls)]
        return [[None if value is names.MISSING else value for value in values] for values in found]

    lean, usual = make(lean_dataclasses), make(dataclasses)
    assert seen_in(lean_dataclasses, lean) == seen_in(dataclasses, lean) == seen_in(dataclasses, usual)


@lean_dataclasses.dataclass(frozen=True)
class Kept:
    x: int
    other: "Kept | None" = None


@lean_dataclasses.dataclass(frozen=True)
class Derived:
    x: int

    @cached_property
    def double(self) -> int:
        return self.x * 2


class Unmade(Derived):
    """A class of objects that are made as its base says."""


def test_a_changed_object_has_its_own_cached_values() -> None:
    for made in (Derived(1), Unmade(1)):
        assert made.double == 2
        assert lean_dataclasses.replace(made, x=4).double == 8
    assert type(lean_dataclasses.replace(Unmade(1), x=4)) is Unmade


def test_an_object_is_kept_and_shown() -> None:
    assert pickle.loads(pickle.dumps(Kept(1, Kept(2)))) == Kept(1, Kept(2))
    assert repr(Kept(1, Kept(2))) == "Kept(x=1, other=Kept(x=2, other=None))"
