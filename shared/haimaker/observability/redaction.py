"""What is taken out of prompts and answers before they are kept: secrets, and what points at a person. Pure.

It finds what has a form: keys, addresses, numbers with a check digit. A name in a sentence has none, and stays. Every pattern
that is built in takes time in proportion to the text.
"""

import base64
import hashlib
import json
import re
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from haimaker.lean_dataclasses import dataclass, field

MAX_TEXT_LENGTH = 200_000
"""How many characters of one text are kept."""
MAX_DEPTH = 40
MIN_DATA = 400
"""The length from which on a text that can only be base64 is taken for data."""
SECRET_FIELDS = frozenset({"api_key", "apikey", "authorization", "password", "passwd", "secret", "client_secret", "access_token"})

_KEYS = r"""(?x)
    \b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,200}            # OpenAI, Anthropic, this gateway, OpenRouter
  | \b(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,200}
  | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                   # AWS
  | \bAIza[A-Za-z0-9_-]{35}                         # Google
  | \b(?:gh[pousr]_|github_pat_|glpat-|hf_|gsk_|xai-|pplx-|r8_|npm_|pypi-)[A-Za-z0-9_-]{16,250}
  | \bxox[abeprs]-[A-Za-z0-9-]{10,200}              # Slack
  | (?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{0,1000}
  | \b[Bb]earer\ [A-Za-z0-9._~+/=-]{16,2000}
"""
BUILT_IN: Mapping[str, str] = {
    "key": _KEYS,
    "email": r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}\b",
    "iban": r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b",
    "card": r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]?\d)",
    "us_ssn": r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])",
    "phone": r"(?<![\w+])\+\d{1,3}[ .()/-]{0,2}\d(?:[ .()/-]{0,2}\d){5,12}(?!\d)",
    "ip_address": r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])",
}
_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")
_KEY_END = re.compile(r"-----END[A-Z ]{0,40}-----")
KEY_LENGTH = 8_000
"""How many characters a private key has at most; of one without an end so many are taken out."""
_DATA = re.compile(r"data:([\w.+/-]{1,100})(?:;[\w=.-]{1,60}){0,4};base64,([A-Za-z0-9+/=_-]{16,})")
_ONLY_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


@dataclass(frozen=True)
class Redaction:
    """Which kinds are taken out, by name, and the deployer's own patterns beside them."""

    kinds: tuple[str, ...] = tuple(BUILT_IN)
    patterns: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _rules(self) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
        chosen = {**{kind: BUILT_IN[kind] for kind in self.kinds}, **self.patterns}
        return [(re.compile(pattern), partial(_replace, kind)) for kind, pattern in chosen.items()]

    def redact(self, value: Any, depth: int = 0) -> Any:
        """The value with a kind's name in place of what is taken out, and data in base64 as its size and hash."""
        if depth > MAX_DEPTH:
            return "[left out: too deep]"
        if isinstance(value, dict):
            return {
                name: "[left out]" if name.lower().replace("-", "_") in SECRET_FIELDS else self.redact(inner, depth + 1)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.redact(inner, depth + 1) for inner in value]
        if isinstance(value, str):
            return self._text(value, depth)
        if isinstance(value, bytes | bytearray):
            return _describe_bytes("data", bytes(value))
        return value if value is None or isinstance(value, int | float) else f"[{type(value).__name__}]"

    def _text(self, text: str, depth: int) -> str:
        if text[:1] in ("{", "[") and text[-1:] in ("}", "]"):  # a tool's arguments, whose escapes would hide what they hold
            try:
                return json.dumps(self.redact(json.loads(text), depth + 1), ensure_ascii=False)
            except (ValueError, RecursionError):
                pass
        if len(text) >= MIN_DATA and _ONLY_BASE64.fullmatch(text):
            return _describe_data("data", text)
        text = _DATA.sub(lambda found: _describe_data(found[1], found[2]), text)
        rest = len(text) - MAX_TEXT_LENGTH
        if "key" in self.kinds:
            text = _without_private_keys(text[: MAX_TEXT_LENGTH + 10_000])
        for pattern, replace in self._rules:
            text = pattern.sub(replace, text[: MAX_TEXT_LENGTH + 10_000])
        return text if rest <= 0 else f"{text[:MAX_TEXT_LENGTH]} [{rest} more characters]"


def _without_private_keys(text: str) -> str:
    """The text with `[key]` in place of private keys. It reads each letter once, where a pattern would look for an end from every
    beginning."""
    made: list[str] = []
    at = 0
    while begin := _KEY_BEGIN.search(text, at):
        most = begin.end() + KEY_LENGTH
        end = _KEY_END.search(text, begin.end(), most)
        made += [text[at : begin.start()], "[key]"]
        at = end.end() if end else min(most, len(text))
    return "".join((*made, text[at:])) if made else text


def _describe_data(content_type: str, text: str) -> str:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_" if {"-", "_"} & set(text) else None)
    except NotBase64:
        data = text.encode()
    return _describe_bytes(content_type, data)


def _describe_bytes(content_type: str, data: bytes) -> str:
    return f"[{content_type}, {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}]"


def _replace(kind: str, found: re.Match[str]) -> str:
    """The kind's name, or the text as it is where its check digits say that it is none."""
    is_one = CHECKS.get(kind)
    return f"[{kind}]" if is_one is None or is_one(found[0]) else found[0]


def is_card(text: str) -> bool:
    """https://en.wikipedia.org/wiki/Luhn_algorithm"""
    digits = [int(letter) for letter in text if letter.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """https://en.wikipedia.org/wiki/International_Bank_Account_Number#Validating_the_IBAN"""
    letters = text.replace(" ", "")
    return 15 <= len(letters) <= 34 and int("".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])) % 97 == 1


CHECKS: Mapping[str, Callable[[str], bool]] = {"card": is_card, "iban": is_iban}
"""By the kind, a check that tells it from other text of the same form."""
