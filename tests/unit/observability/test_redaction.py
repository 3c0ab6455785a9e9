import base64
import hashlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.observability.redaction import BUILT_IN, MAX_TEXT_LENGTH, Redaction

ALL = Redaction()
KEYS = [
    "sk-hm-zB1QTQ0xy0dr9suFEYJk9y1pvRgfqGDiyeX6hI63sT42gwHpW",
    "sk-proj-abcDEF0123456789_abcdefgh",
    "sk-ant-api03-abcdefghijklmnop",
    "AKIAIOSFODNN7EXAMPLE",
    "AIza" + "a1B2" * 8 + "a-_",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "xoxb-1234567890-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc-_def",
    "Bearer abcdefghijklmnopqrstuvwxyz",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
]
TAKEN_OUT = [
    *((key, "[key]") for key in KEYS),
    ("ada@example.com", "[email]"),
    ("a.b+c@mail.example.co.uk", "[email]"),
    ("4111 1111 1111 1111", "[card]"),
    ("378282246310005", "[card]"),
    ("5555-5555-5555-4444", "[card]"),
    ("DE89 3704 0044 0532 0130 00", "[iban]"),
    ("GB82WEST12345698765432", "[iban]"),
    ("219-09-9999", "[us_ssn]"),
    ("+49 30 901820", "[phone]"),
    ("+1 (415) 555-2671", "[phone]"),
    ("192.168.10.254", "[ip_address]"),
]
KEPT = [
    "4111 1111 1111 1112",
    "0000000000000000",
    "1700000000000",
    "DE00 3704 0044 0532 0130 00",
    "000-12-3456",
    "1.2.3.4.5",
    "300.1.1.1",
    "sk-short",
    "3.14159265358979323846",
    "ada at example dot com",
    "2026-11-22T04:31:52",
    "x" * 1_000 + " y",
]


@pytest.mark.parametrize(("text", "shown"), TAKEN_OUT, ids=lambda value: value[:20])
def test_what_is_taken_out(text: str, shown: str) -> None:
    assert ALL.redact(f"It is {text}, you know") == f"It is {shown}, you know"
    assert ALL.redact(text) == shown


@pytest.mark.parametrize("text", KEPT, ids=lambda value: value[:20])
def test_what_only_looks_like_it_is_kept(text: str) -> None:
    assert ALL.redact(f"It is {text}, you know") == f"It is {text}, you know"


def test_every_kind_is_tried() -> None:
    assert {shown.strip("[]") for _, shown in TAKEN_OUT} == set(BUILT_IN)


def test_only_the_kinds_that_are_named_and_patterns_of_ones_own() -> None:
    redaction = Redaction(("email",), {"ticket": r"TICKET-\d+"})
    assert redaction.redact("ada@example.com +49 30 901820 TICKET-17") == "[email] +49 30 901820 [ticket]"


def test_it_goes_through_all_of_a_value_and_leaves_it_as_it_was() -> None:
    value = {"messages": [{"content": [{"text": "to ada@example.com"}]}], "n": 1, "t": 0.5, "stream": True, "stop": None}
    before = json.dumps(value)
    cleaned = ALL.redact(value)
    assert cleaned == {"messages": [{"content": [{"text": "to [email]"}]}], "n": 1, "t": 0.5, "stream": True, "stop": None}
    assert json.dumps(value) == before


def test_arguments_of_tools_are_read_as_what_they_are() -> None:
    assert json.loads(ALL.redact('{"to": "ada\\u0040example.com", "n": 1}')) == {"to": "[email]", "n": 1}
    assert ALL.redact("[not JSON ada@example.com]") == "[not JSON [email]]"


def test_fields_that_hold_secrets_are_left_out_whatever_is_in_them() -> None:
    assert ALL.redact({"api_key": "x", "Authorization": {"a": 1}, "secret": None, "max_tokens": 5}) == {
        "api_key": "[left out]", "Authorization": "[left out]", "secret": "[left out]", "max_tokens": 5,
    }  # fmt: skip


def test_data_is_named_by_its_size_and_hash() -> None:
    data = bytes(range(256)) * 4
    encoded = base64.b64encode(data).decode()
    named = f"1024 bytes, sha256 {hashlib.sha256(data).hexdigest()}]"
    assert ALL.redact(f"![x](data:image/png;base64,{encoded}) and") == f"![x]([image/png, {named}) and"
    assert ALL.redact({"data": encoded, "raw": data}) == {"data": f"[data, {named}", "raw": f"[data, {named}"}
    assert ALL.redact(base64.urlsafe_b64encode(data).decode()) == f"[data, {named}"


def test_a_long_text_is_cut_and_says_so() -> None:
    text = "word " * MAX_TEXT_LENGTH
    assert ALL.redact(text) == f"{text[:MAX_TEXT_LENGTH]} [{4 * MAX_TEXT_LENGTH} more characters]"
    secret = "w " * (MAX_TEXT_LENGTH // 2 - 5) + "ada@example.com"
    assert "ada" not in ALL.redact(secret + " w" * MAX_TEXT_LENGTH)


HARD = ["eyJ", "a@", "1 ", "-----BEGIN PRIVATE KEY-----", "sk-", "+1 ", "data:a/b;base64,", "DE89 ", "a.", "1.", "Bearer ", "aaaa"]


@pytest.mark.parametrize("piece", HARD)
def test_no_text_takes_long(piece: str) -> None:
    """Most by far is milliseconds; what is not in proportion to the text would take hours."""
    started_s = time.process_time()
    ALL.redact(piece * (100_000 // len(piece)) + "!")
    assert time.process_time() - started_s < 30


JSONS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSONS, st.sampled_from(KEYS))
def test_whatever_is_asked_can_be_kept_and_no_key_is_in_it(value: Any, key: str) -> None:
    kept = json.dumps(ALL.redact({"value": value, "text": f"use {key} please"}))
    assert key not in kept
