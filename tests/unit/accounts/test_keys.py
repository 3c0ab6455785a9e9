import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.accounts import keys as auth
from haimaker.http.errors import AuthenticationError
from haimaker.http.values import Request

KEY = auth.new_key()
ID = auth.account_id_of(KEY)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer   {KEY} "},
        {"api-key": KEY},
        {"x-api-key": f" {KEY}"},
        {"authorization": "Basic dTpw", "x-api-key": KEY},
        {"authorization": f"Bearer {KEY}", "api-key": "other"},
    ],
)
def test_a_key_is_found_where_sdks_send_it(headers: dict[str, str]) -> None:
    assert auth.authenticate(headers) == ID


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"authorization": ""}, "missing_api_key"),
        ({"authorization": "Bearer"}, "missing_api_key"),
        ({"authorization": KEY}, "missing_api_key"),
        ({"authorization": "Bearer sk-local"}, "invalid_api_key"),
        ({"authorization": f"Bearer {KEY}x"}, "invalid_api_key"),
        ({"authorization": f"Bearer {KEY} x"}, "invalid_api_key"),
        ({"x-api-key": KEY[:-1]}, "invalid_api_key"),
        ({"x-api-key": KEY.lower()}, "invalid_api_key"),
    ],
)
def test_what_is_no_key(headers: dict[str, str], code: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        auth.authenticate(headers)
    assert (caught.value.status, caught.value.code) == (401, code)
    assert KEY[:12] not in caught.value.message


def test_a_request_shows_neither_its_key_nor_its_prompt() -> None:
    assert repr(Request("id-1", {"authorization": KEY}, b"prompt", {"model": "m"})).startswith("Request(id='id-1', path={'model'")


def test_the_settings_key_needs_no_checksum() -> None:
    also = auth.account_id_of("sk-local")
    assert auth.authenticate({"authorization": "Bearer sk-local"}, also) == also
    assert auth.authenticate({"authorization": f"Bearer {KEY}"}, also) == ID


def test_keys_are_well_formed_and_no_two_are_alike() -> None:
    keys = {auth.new_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(auth.is_well_formed(key) and len(key) == 55 for key in keys)


@given(st.integers(0, len(KEY) - 1), st.characters())
def test_a_mistyped_letter_is_noticed(position: int, letter: str) -> None:
    typed = KEY[:position] + letter + KEY[position + 1 :]
    assert auth.is_well_formed(typed) == (typed == KEY)


@given(st.text())
def test_any_text_has_an_id_and_a_name_that_tells_little(text: str) -> None:
    assert len(auth.account_id_of(text)) == len("key#") + 64
    assert len(auth.display_name_of(text)) <= 17
    assert auth.is_well_formed(text) is False


def test_a_name_tells_keys_apart() -> None:
    assert auth.display_name_of(KEY) == f"{KEY[:10]}...{KEY[-4:]}"
    assert auth.display_name_of("sk-local") == "sk-..."
