"""Accounts as the request path knows them: their configuration is kept between requests, their counters never are."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from haimaker.accounts import keys as auth
from haimaker.accounts.errors import check_usable, store_error
from haimaker.accounts.kinds import END_USER, TEAM
from haimaker.http.errors import AuthenticationError
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.names import is_allowed
from haimaker.pricing.amounts import UserBudget
from haimaker.store import SUCCESSOR, Account, Balance, Store, StoreUnavailable

Cached = TypeVar("Cached")

MAX_CACHED = 1_000
MAX_NAME_LENGTH = 512
"""How much of an end user's name is kept for people to see."""
UNKNOWN_END_USER_S = 60.0
"""How long an end user is remembered to have no account; one that is made meanwhile counts from then on."""
IMPORTS = ("imports", "keys")
"""The document by which a store says that it has keys that another gateway issued, which are of another form."""
NO_IMPORTS_S = 60.0
"""How long the store is not asked again whether it has such keys."""
REFUSED_S = 10.0
"""How long the store is not asked again for a key of another form that it does not have."""
FROM_SETTINGS = "HAIMAKER_ADMIN_KEY"
"""The `source` in the metadata of an account that the settings name."""
NO_MODELS = ("\0",)
"""A list that allows no model; an empty one allows all."""


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
    """Ids of end users that have no account, and until when, in monotonic seconds, the store is not asked again."""
    _refused: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """Ids of keys of another form that the store does not have, and until when, in monotonic seconds, it is not asked again."""
    _has_imports: bool = False
    _ask_again_s: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def authenticate(self, headers: Mapping[str, str], *, fresh: bool = False) -> Account:
        """The account of a request's key, from the cache, or with `fresh` from the store. A key or team that the cache has as
        blocked or expired is read from the store too, so that one that was unblocked is accepted at once. Raises
        AuthenticationError, ServiceUnavailableError if the store fails."""
        account_id, now_s = auth.authenticate(headers, self.admin_id, self._is_imported, self._cached), time.time()
        account = None if fresh else self._cached.get(account_id)
        if account:
            team = self._cached.get(TEAM.account_id(account.team_id)) if account.team_id else None
            if not any(each and (each.blocked or each.expires_s <= now_s) for each in (account, team)):
                return account
        account = self.read(account_id).account
        check_usable(account, now_s)
        if team := self._team(account, fresh=True):
            check_usable(team, now_s)
        return account

    def _is_imported(self, account_id: str) -> bool:
        """Whether a key of another form is one that was imported. Where none was, and of one that was refused a moment ago, the
        store is not asked. Raises APIError if the store fails."""
        now_s = time.monotonic()
        if not self._imports(now_s) or self._refused.get(account_id, 0.0) > now_s:
            return False
        if self._get(account_id):
            return True
        self._remember(self._refused, account_id, now_s + REFUSED_S)
        return False

    def _imports(self, now_s: float) -> bool:
        """Whether the store says that it has imported keys; a store that fails is taken at its last word."""
        if not self._has_imports and now_s >= self._ask_again_s:
            self._ask_again_s = now_s + NO_IMPORTS_S
            with suppress(StoreUnavailable):
                self._has_imports = self.store.documents.get(*IMPORTS) is not None
        return self._has_imports

    def read(self, account_id: str) -> Balance:
        """Reads a key's account from the store and caches it. Raises AuthenticationError if there is none, or if it is the
        administrator's that other settings than this gateway's name."""
        balance = self._get(account_id)
        if balance is None or (balance.account.metadata.get("source") == FROM_SETTINGS and account_id != self.admin_id):
            self._cached.pop(account_id, None)
            raise auth.unknown_key()
        if successor := balance.account.metadata.get(SUCCESSOR):
            if balance.account.expires_s <= time.time():
                raise auth.unknown_key()
            return self.read(successor)
        self.keep(balance.account)
        return balance

    def read_newest(self, account_id: str) -> Balance:
        """The same of what goes on in a key's name, also when the key itself has ended since it was made anew."""
        balance = self._get(account_id)
        successor = balance.account.metadata.get(SUCCESSOR) if balance else None
        return self.read_newest(successor) if successor else self.read(account_id)

    def billed_accounts(
        self, key: Account, end_user: str | None = None, *, fresh: bool = False, new_user: bool = False
    ) -> BilledAccounts:
        """The accounts that a request with this key and this `user` is charged to, from the cache, or with `fresh` from the store.
        Where the settings give every end user a budget, one without an account has such an account here; `new_user` also stores
        it, which is for requests that the key may make. Raises AuthenticationError, ServiceUnavailableError if the store fails."""
        if fresh:
            key = self.read(key.id).account
        return BilledAccounts(
            key, self._team(key, fresh=fresh), self._end_user(end_user, fresh=fresh, new=new_user) if end_user else None
        )

    def _team(self, key: Account, *, fresh: bool) -> Account | None:
        if key.team_id is None:
            return None
        team = self._find(TEAM.account_id(key.team_id), fresh=fresh)
        if team is None:
            raise AuthenticationError(f"The team of the key {key.name} does not exist any more.", code="team_not_found")
        return team

    def _end_user(self, name: str, *, fresh: bool, new: bool) -> Account | None:
        account_id = END_USER.account_id(name)
        is_unknown = self._unknown_end_users.get(account_id, 0.0) >= time.monotonic()
        user = None if is_unknown and not fresh else self._find(account_id, fresh=fresh)
        if user or (is_unknown and not fresh):
            return user
        given = self.user_budget
        if given is None:
            self._remember(self._unknown_end_users, account_id, time.monotonic() + UNKNOWN_END_USER_S)
            return None
        user = replace(
            Account(account_id, name[:MAX_NAME_LENGTH], int(time.time())),
            budget_nanousd=given.budget_nanousd, budget_window_s=given.window_s, budget_months=given.months,
        )  # fmt: skip
        if new:
            try:
                if not self.store.put(user):  # another request made it at the same moment
                    return self._find(account_id, fresh=True) or user
            except StoreUnavailable as error:
                raise store_error(error) from error
            self.keep(user)
        return user

    def _find(self, account_id: str, *, fresh: bool) -> Account | None:
        """A team's or an end user's account from the cache, else, or with `fresh`, from the store. None if there is none."""
        account = None if fresh else self._cached.get(account_id)
        if account is None and (balance := self._get(account_id)):
            account = balance.account
            self.keep(account)
        return account

    def _get(self, account_id: str) -> Balance | None:
        try:
            return self.store.get(account_id)
        except StoreUnavailable as error:
            raise store_error(error) from error

    def has_seen(self, account_id: str) -> bool:
        """Whether the account is in the cache, and so is known to exist."""
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
