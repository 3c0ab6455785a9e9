"""Keys: how they are made, recognised and read from a request. A key itself is never stored, only its SHA-256.

A key is `sk-hm-`, 43 random characters (256 bits) and 6 of a checksum, so that a mistyped or invented one is refused
without asking the store. Fast hashing is right for random secrets of this length; slow hashes are for passwords.
"""

import string
import zlib
from collections.abc import Callable, Container, Mapping

from haimaker.accounts.kinds import KEY
from haimaker.http.errors import AuthenticationError

PREFIX = "sk-hm-"
ALPHABET = string.digits + string.ascii_letters
RANDOM_LENGTH = 43
CHECKSUM_LENGTH = 6
HEADERS = ("api-key", "x-api-key", "x-goog-api-key")
"""Headers that hold a key, besides `authorization`."""


def new_key() -> str:
    import secrets  # the request path makes no keys

    random = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return f"{PREFIX}{random}{_checksum(random)}"


def is_well_formed(key: str) -> bool:
    """Whether the key's checksum fits, so that it may have been issued by a gateway."""
    random = key[len(PREFIX) : -CHECKSUM_LENGTH]
    return key.startswith(PREFIX) and len(random) == RANDOM_LENGTH and key.isascii() and key[-CHECKSUM_LENGTH:] == _checksum(random)


def account_id_of(key: str) -> str:
    """The id of the account of a key, known or not."""
    return KEY.account_id(key)


def display_name_of(key: str) -> str:
    """The ends of a key, which people see: enough to tell keys apart, too little to use one."""
    return f"{key[:10]}...{key[-4:]}" if len(key) > 24 else f"{key[:3]}..."


def admin_id(admin_key: str | None) -> str | None:
    """The account id of the administrator's key that the settings name, if they name one."""
    return account_id_of(admin_key) if admin_key else None


def authenticate(
    headers: Mapping[str, str],
    admin_id: str | None = None,
    is_imported: Callable[[str], bool] = lambda account_id: False,
    known: Container[str] = (),
) -> str:
    """The account id of the key that a request carries; the key of `admin_id` needs no checksum, nor do those that are `known` or
    that `is_imported` finds. Raises AuthenticationError."""
    key = _key_of(headers)
    if not key:
        raise AuthenticationError(
            "You didn't provide an API key. Send it in an Authorization header: `Authorization: Bearer sk-hm-...`.",
            code="missing_api_key",
        )
    account_id = account_id_of(key)
    if account_id != admin_id and account_id not in known and not is_well_formed(key) and not is_imported(account_id):
        raise unknown_key()
    return account_id


def has_key(headers: Mapping[str, str]) -> bool:
    """Whether a request carries a key of any form."""
    return bool(_key_of(headers))


def owner_of(headers: Mapping[str, str]) -> str:
    """The account id of a request's key, whether it is known or not."""
    return account_id_of(_key_of(headers))


def unknown_key() -> AuthenticationError:
    return AuthenticationError("Incorrect API key provided. Ask the gateway's administrator for a key.")


def _key_of(headers: Mapping[str, str]) -> str:
    """The bearer token, or the header that the SDKs of Azure, Anthropic and Google send."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return next((headers[name].strip() for name in HEADERS if headers.get(name)), "")


def _checksum(random: str) -> str:
    value = zlib.crc32(random.encode("ascii", "replace"))
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        value, digit = divmod(value, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
