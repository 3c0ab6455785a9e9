import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.api.formats import reasoning_details as details
from haimaker.http.values import JSON

TEXT: JSON = {"type": "reasoning.text", "text": "First.", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0}
SECRET: JSON = {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "format": "openai-responses-v1", "index": 1}


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none())))
def test_a_signature_carries_details_there_and_back(told: list[JSON]) -> None:
    signature = details.sign(told)
    assert details.is_ours(signature)
    assert details.unsign(signature) == told


@pytest.mark.parametrize(
    "signature",
    [
        None,
        7,
        "",
        "haimaker",
        "haimaker:deepseek:c2ln",
        "haimaker.",
        "haimaker.%%%",
        "haimaker." + base64.b64encode(b"no zlib").decode(),
        "haimaker." + base64.b64encode(zlib.compress(b"no JSON")).decode(),
        "haimaker." + base64.b64encode(zlib.compress(b'{"a": 1}')).decode(),
        "haimaker." + base64.b64encode(zlib.compress(b"[1]" + b" " * 9_000_000)).decode(),
        "haimaker." + base64.b64encode(zlib.compress(b"[1, null]")).decode(),
    ],
)
def test_what_can_not_be_read_carries_nothing(signature: object) -> None:
    assert details.unsign(signature) == []


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ([], []),
        ([TEXT, SECRET], [TEXT, SECRET]),
        (
            [
                {"type": "reasoning.text", "text": "Fir", "index": 0},
                {"type": "reasoning.text", "text": "st.", "index": 0, "id": None},
            ],
            [{"type": "reasoning.text", "text": "First.", "index": 0, "id": None}],
        ),
        (
            [{**TEXT, "signature": None}, {"type": "reasoning.text", "index": 0, "text": "", "signature": "c2ln"}],
            [TEXT],
        ),
        ([SECRET, {**SECRET, "id": "rs_2"}], [SECRET, {**SECRET, "id": "rs_2"}]),
    ],
)
def test_pieces_of_a_detail_are_one(pieces: list[JSON], whole: list[JSON]) -> None:
    assert details.merge(pieces) == whole
