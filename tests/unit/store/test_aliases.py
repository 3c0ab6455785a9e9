"""One name means one key, and one team, on each store and whoever is at it at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from haimaker.accounts import aliases
from haimaker.accounts.aliases import claim, index_older, release
from haimaker.accounts.cache import FROM_SETTINGS
from haimaker.http.errors import BadRequestError, ConflictError
from haimaker.store import SUCCESSOR, Account

NAME = "Ada's laptop 😀 \ud800"


@pytest.fixture(autouse=True)
def named(scene, monkeypatch):
    """The accounts of this test are of a kind that has names."""
    monkeypatch.setitem(aliases.FIELDS, scene.kind, "key_alias")


def has(scene, account: Account) -> bool:
    try:
        claim(scene.store, account)
    except BadRequestError as error:
        return error.code != "alias_taken"
    return True


def unsaved(scene, number: int, alias: str | None = NAME) -> Account:
    return Account(f"{scene.kind}#new-{number}", "sk-hm-abcd...wxyz", 1, alias=alias)


def test_of_many_who_want_a_name_one_gets_it(scene):
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda number: has(scene, unsaved(scene, number)), range(8)))
    assert got.count(True) == 1
    winner = unsaved(scene, got.index(True))
    assert has(scene, winner), "it may be asked for again"
    assert has(scene, unsaved(scene, 9, NAME.lower()))
    assert all(has(scene, unsaved(scene, number, None)) for number in (1, 2))


def test_a_name_goes_on_to_a_successor_and_is_free_once_nobody_has_it(scene):
    first, second, third = (unsaved(scene, number) for number in range(3))
    claim(scene.store, first)
    assert scene.store.put(first)
    claim(scene.store, second, instead_of=first.id)
    assert not has(scene, first)
    release(scene.store, first)  # which has it no more
    assert not has(scene, third)
    release(scene.store, second)
    assert has(scene, third)


@pytest.mark.parametrize("ends", ["before it gave the name", "after another name", "after it was deleted"])
def test_what_a_request_left_that_was_cut_off_is_free_after_a_minute(scene, monkeypatch, ends):
    left, other = unsaved(scene, 0), unsaved(scene, 1)
    claim(scene.store, left)
    if ends == "after another name":
        assert scene.store.put(replace(left, alias="another"))
    if ends == "after it was deleted":
        assert scene.store.put(left)
        assert scene.store.delete(left.id)
    assert not has(scene, other)
    later_s = aliases.time.time() + aliases.CLAIM_S + 1
    monkeypatch.setattr(aliases.time, "time", lambda: later_s)
    assert has(scene, other)


def test_a_name_that_an_account_has_is_never_taken_from_it(scene, monkeypatch):
    kept = unsaved(scene, 0)
    claim(scene.store, kept)
    assert scene.store.put(kept)
    later_s = aliases.time.time() + 10**6
    monkeypatch.setattr(aliases.time, "time", lambda: later_s)
    assert not has(scene, unsaved(scene, 1))


@pytest.mark.parametrize("limit_s", [0.0, 1.0])
def test_names_that_are_older_than_claims_are_taken_too(scene, monkeypatch, limit_s):
    """However far one request comes with them."""
    monkeypatch.setattr(aliases, "INDEX_S", limit_s)
    monkeypatch.setattr(aliases, "PAGE", 3)
    for number in range(4):
        scene.account(alias=f"n{number}")
    for metadata in ({"source": FROM_SETTINGS}, {SUCCESSOR: "key#x"}):
        scene.account(alias="free", metadata=metadata)
    twin = scene.account(alias="n3")
    assert not has(scene, unsaved(scene, 1, "n3"))
    assert has(scene, unsaved(scene, 2, "free"))
    assert not has(scene, unsaved(scene, 3, "n1"))
    assert index_older(scene.store, scene.kind, 0)
    assert not has(scene, unsaved(scene, 4, "n0"))
    assert not has(scene, twin), "the older one has it"


def test_who_is_always_late_is_told_to_try_again(scene, monkeypatch):
    documents = type(scene.store.documents)
    claim(scene.store, unsaved(scene, 0, "another"))
    monkeypatch.setattr(documents, "put", lambda *_: False)
    with pytest.raises(ConflictError):
        claim(scene.store, unsaved(scene, 1))
