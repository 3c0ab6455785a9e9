"""The kinds of accounts that a request is charged to. The id of an account is its kind and a name, such as `team#growth`."""

from hashlib import sha256
from typing import NamedTuple


class AccountKind(NamedTuple):
    """A kind of account: whose it is, and how its id is made."""

    name: str
    """What their ids begin with, and how messages and records call them."""
    hashes_name: bool = True
    """Whether an id has the SHA-256 of the name instead of the name itself."""

    def account_id(self, name: str) -> str:
        """The id of the account of this key, team or end user."""
        return f"{self.name}#{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest() if self.hashes_name else name}"


KEY = AccountKind("key")
"""A key is a secret, so it is never stored."""
TEAM = AccountKind("team", hashes_name=False)
END_USER = AccountKind("user")
"""Named by the field `user` of a request, which may hold any text."""


def kind_of(account_id: str) -> str:
    """The name of an account's kind: `key`, `team` or `user`."""
    return account_id.partition("#")[0]
