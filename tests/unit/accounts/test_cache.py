from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from haimaker.accounts import cache
from haimaker.accounts import keys as auth
from haimaker.accounts.cache import AccountCache
from haimaker.accounts.errors import check_usable, denied_error, require_admin, store_error
from haimaker.http.errors import APIError, AuthenticationError, PermissionDeniedError
from haimaker.store import Account, DenialReason, Denied, StoreThrottled, StoreUnavailable
from haimaker.store.sqlite import SQLiteStore
from tests.support import builders

KEY = auth.new_key()
BEARER = {"authorization": f"Bearer {KEY}"}
OWNER = builders.account(id=auth.account_id_of(KEY), budget_nanousd=5_000_000_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    kept = SQLiteStore(tmp_path / "test.sqlite")
    kept.put(OWNER)
    yield kept
    kept.close() if hasattr(kept, "close") else None


def changed(store: SQLiteStore) -> Account:
    store.update(builders.account(id=OWNER.id, alias="new"))
    found = store.get(OWNER.id)
    assert found is not None
    return found.account


def test_an_account_is_kept_until_it_is_read_afresh(store: SQLiteStore) -> None:
    known = AccountCache(store)
    first = known.authenticate(BEARER)
    now = changed(store)
    assert known.authenticate(BEARER) == first
    assert known.authenticate(BEARER, fresh=True) == now
    assert known.authenticate(BEARER) == now


def test_a_key_that_the_store_does_not_know_is_refused_and_not_kept(store: SQLiteStore) -> None:
    known = AccountCache(store)
    other = auth.new_key()
    with pytest.raises(AuthenticationError):
        known.authenticate({"x-api-key": other})
    store.put(builders.account(id=auth.account_id_of(other)))
    assert known.authenticate({"x-api-key": other}).id == auth.account_id_of(other)


def test_no_more_accounts_are_kept_than_the_bound(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_CACHED", 2)
    known = AccountCache(store)
    for number in range(4):
        store.put(builders.account(id=f"key#{number}"))
        known.read(f"key#{number}")
    assert list(known._cached) == ["key#2", "key#3"]


@pytest.mark.parametrize(("raised", "status"), [(StoreUnavailable(), 503), (StoreThrottled(), 429)])
def test_a_store_that_fails_lets_nobody_in(raised: StoreUnavailable, status: int) -> None:
    class Gone:
        def get(self, account_id: str) -> None:
            raise raised

    with pytest.raises(APIError) as caught:
        AccountCache(Gone()).authenticate(BEARER)  # type: ignore[arg-type]
    assert caught.value.status == status == store_error(raised).status
    assert int(caught.value.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("refused", "status", "code", "headers"),
    [
        (Denied("unknown"), 401, "invalid_api_key", {}),
        (Denied("blocked", OWNER), 401, "key_blocked", {}),
        (Denied("expired", OWNER), 401, "key_expired", {}),
        (Denied("budget", OWNER, remaining_nanousd=7), 402, "budget_exceeded", {"x-should-retry": "false"}),
        (Denied("budget", OWNER, remaining_nanousd=-7, retry_after_s=60), 402, "budget_exceeded",
         {"x-should-retry": "false", "x-budget-renews-in-s": "60"}),
        (Denied("rpm", OWNER, retry_after_s=12), 429, "rate_limit_exceeded", {"retry-after": "12"}),
        (Denied("tpm", OWNER), 429, "rate_limit_exceeded", {"retry-after": "1"}),
        (Denied("tpm", replace(OWNER, tpm_limit=99), retry_after_s=9), 429, "rate_limit_exceeded", {"retry-after": "9"}),
        (Denied("tpm", replace(OWNER, tpm_limit=98), retry_after_s=9), 429, "rate_limit_exceeded", {"x-should-retry": "false"}),
        (Denied("rpm", replace(OWNER, rpm_limit=0), retry_after_s=9), 429, "rate_limit_exceeded", {"x-should-retry": "false"}),
        (Denied("parallel", OWNER), 429, "rate_limit_exceeded", {"retry-after": "1"}),
        (Denied("parallel", replace(OWNER, parallel_limit=0)), 429, "rate_limit_exceeded", {"x-should-retry": "false"}),
    ],
)  # fmt: skip
def test_a_refusal_in_words(refused: Denied, status: int, code: str, headers: dict[str, str]) -> None:
    error = denied_error(refused, 9, 99)
    assert (error.status, error.code, error.headers) == (status, code, headers)
    assert OWNER.id.partition("#")[2] not in error.message
    assert refused.account is None or OWNER.name in error.message


def test_a_spent_budget_names_its_amounts() -> None:
    message = denied_error(Denied("budget", OWNER, remaining_nanousd=7), 1_000_000_001, 0).message
    assert all(amount in message for amount in ("0.000000007", "of 5 USD", "1.000000001"))
    assert ": 0 of 5 USD" in denied_error(Denied("budget", OWNER, remaining_nanousd=-7), 1, 0).message


def test_a_request_that_no_minute_has_room_for_is_told_the_numbers() -> None:
    message = denied_error(Denied("tpm", replace(OWNER, tpm_limit=98)), 0, 4_097).message
    assert "98 tokens per minute" in message
    assert "4097" in message
    assert "shorter prompt" in message


@pytest.mark.parametrize(
    ("reason", "over"),
    [
        (None, {}),
        ("blocked", {"blocked": True}),
        ("expired", {"expires_s": builders.NOW_S}),
        (None, {"expires_s": builders.NOW_S + 1}),
    ],
)
def test_who_may_use_operations_that_reserve_nothing(reason: DenialReason | None, over: dict[str, object]) -> None:
    asking = builders.account(**over)
    if reason is None:
        check_usable(asking, builders.NOW_S)
        return
    with pytest.raises(AuthenticationError) as caught:
        check_usable(asking, builders.NOW_S)
    assert caught.value.code == f"key_{reason}"


def test_only_an_admin_administers() -> None:
    require_admin(builders.account(role="admin"))
    with pytest.raises(PermissionDeniedError):
        require_admin(builders.account())
