"""Accounts as the request path knows them: their configuration is kept between requests, their counters never are."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from threading import Lock
from typing import TypeVar

from haimaker.accounts import keys as auth
from haimaker.accounts.errors import check_usable, store_error
from haimaker.http.errors import (
    AuthenticationError,
)
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.names import is_allowed
from haimaker.pricing.amounts import UserBudget
from haimaker.store import Account, Balance, Store, StoreUnavailable

Cached = TypeVar("Cached")

MAX_CACHED = 1_000
MAX_NAME_LENGTH = 512
"""Of a user's name, as far as people see it."""
UNKNOWN_END_USER_S = 60.0
"""How long a user is known to have no account; one that is made meanwhile is met by then."""
SUCCESSOR = "successor"
"""In the metadata of a key that was rotated and is still taken until it expires: the account that it stands for."""
FROM_SETTINGS = "HAIMAKER_ADMIN_KEY"
"""The source, in its metadata, of an account that settings named."""
NO_MODELS = ("\0",)
"""A list of models that has none; an empty one has all."""


@dataclass(frozen=True, slots=True)
class BilledAccounts:
    """The accounts that a request is charged to: its key, and the key's team and the request's end user where they have
    accounts."""

    key: Account
    team: Account | None = None
    end_user: Account | None = None

    def all(self) -> tuple[Account, ...]:
        """All of them, in the order in which they are reserved on."""
        return tuple(account for account in (self.key, self.team, self.end_user) if account)

    def versions(self) -> Mapping[str, int]:
        return {account.id: account.version for account in self.all()}

    def have_budget(self) -> bool:
        return any(account.budget_nanousd is not None for account in self.all())

    def allowed_models(self, full_name: Callable[[str], str]) -> tuple[str, ...]:
        """The names and patterns that both the key's list and its team's have; `full_name` says what a bare name stands for."""
        if self.team is None or not self.team.models:
            return self.key.models
        if not self.key.models:
            return self.team.models
        own, shared = ({*models, *map(full_name, models)} for models in (self.key.models, self.team.models))
        both = {name for name in own if is_allowed(name, shared)} | {name for name in shared if is_allowed(name, own)}
        return tuple(sorted(both)) or NO_MODELS


@dataclass(slots=True)
class AccountCache:
    """Reads accounts from the store and caches their configuration."""

    store: Store
    admin_id: str | None = None
    """The account of the key that the settings name; it is an administrator's and needs no checksum."""
    user_budget: UserBudget | None = None
    _cached: OrderedDict[str, Account] = field(default_factory=OrderedDict)
    _unknown_end_users: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """Users that have none, and until when, monotonic, that is believed."""
    _lock: Lock = field(default_factory=Lock)

    def authenticate(self, headers: Mapping[str, str], *, fresh: bool = False) -> Account:
        """The account of a request's key, as kept, or as it is now. What is blocked or has expired, key or team, is read again
        and refused, before more is done for it. Raises AuthenticationError, or 503 if the store fails."""
        account_id, now_s = auth.authenticate(headers, self.admin_id), time.time()
        account = None if fresh else self._cached.get(account_id)
        if account and not _is_over(account, now_s) and not _is_over(self._cached.get(f"team#{account.team_id}"), now_s):
            return account
        account = self.read(account_id).account
        check_usable(account, now_s)
        if team := self._team(account, fresh=True):
            check_usable(team, now_s)
        return account

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request has a key of this gateway's. Raises APIError if the store fails."""
        try:
            self.authenticate(headers)
        except AuthenticationError:
            return False
        return True

    def read(self, account_id: str) -> Balance:
        """A key's account as it is now, kept for later. Raises AuthenticationError if there is none, or it is an administrator's
        whom other settings named than this gateway's."""
        balance = self._get(account_id)
        if balance is None or (balance.account.metadata.get("source") == FROM_SETTINGS and account_id != self.admin_id):
            raise auth.unknown_key()
        if successor := balance.account.metadata.get(SUCCESSOR):
            if balance.account.expires_s <= time.time():
                raise auth.unknown_key()
            return self.read(successor)
        self.keep(balance.account)
        return balance

    def billed_accounts(
        self, key: Account, end_user: str | None = None, *, fresh: bool = False, new_user: bool = False
    ) -> BilledAccounts:
        """All who pay for a request with this key and this `user`, as kept, or as they are now. Where the settings give a budget
        to everybody, a user without an account gets one with `new_user`, which is for requests that the key may make; till then
        it is one that the store does not know. Raises AuthenticationError."""
        if fresh:
            key = self.read(key.id).account
        return BilledAccounts(
            key, self._team(key, fresh=fresh), self._end_user(end_user, fresh=fresh, new=new_user) if end_user else None
        )

    def _team(self, key: Account, *, fresh: bool) -> Account | None:
        if key.team_id is None:
            return None
        team_id = f"team#{key.team_id}"
        team = None if fresh else self._cached.get(team_id)
        if team is None:
            balance = self._get(team_id)
            if balance is None:
                raise AuthenticationError(f"The team of the key {key.name} does not exist any more.", code="team_not_found")
            team = balance.account
            self.keep(team)
        return team

    def _end_user(self, name: str, *, fresh: bool, new: bool) -> Account | None:
        account_id = end_user_account_id(name)
        user = None if fresh else self._cached.get(account_id)
        if user is None and (fresh or self._unknown_end_users.get(account_id, 0.0) < time.monotonic()):
            if balance := self._get(account_id):
                user = balance.account
                self.keep(user)
            elif given := self.user_budget:
                blank = Account(account_id, name[:MAX_NAME_LENGTH], int(time.time()))
                user = replace(
                    blank, budget_nanousd=given.budget_nanousd, budget_window_s=given.window_s, budget_months=given.months
                )
                if new:
                    user = self._make(user)
                    self.keep(user)
            else:
                self._remember(self._unknown_end_users, account_id, time.monotonic() + UNKNOWN_END_USER_S)
        return user

    def _make(self, user: Account) -> Account:
        """Stores a new end user; returns the stored account if another request made it at the same moment."""
        try:
            if self.store.put(user):
                return user
        except StoreUnavailable as error:
            raise store_error(error) from error
        balance = self._get(user.id)
        return balance.account if balance else user

    def _get(self, account_id: str) -> Balance | None:
        try:
            return self.store.get(account_id)
        except StoreUnavailable as error:
            raise store_error(error) from error

    def has_met(self, account_id: str) -> bool:
        """Whether it is an account of this gateway's, as far as is known without asking the store."""
        return account_id in self._cached

    def keep(self, account: Account) -> None:
        """Caches the account."""
        if SUCCESSOR in account.metadata:
            self._cached.pop(account.id, None)  # it is read each time: what it stands for is what counts
        else:
            self._remember(self._cached, account.id, account)

    def _remember(self, where: "OrderedDict[str, Cached]", name: str, value: "Cached") -> None:
        with self._lock:
            where[name] = value
            where.move_to_end(name)
            while len(where) > MAX_CACHED:
                where.popitem(last=False)


def end_user_account_id(name: str) -> str:
    """The account id of an end user, whose name may be any text."""
    return "user#" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _is_over(account: Account | None, now_s: float) -> bool:
    return account is not None and (account.blocked or account.expires_s <= now_s)
