"""Long answers are encoded in steps, and are what they would be at once."""

import json

import pytest

from haimaker.http.responses import STEP, json_response


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        [{}],
        {"data": [1] * STEP, "b": 2},
        {"object": "list", "data": list(range(STEP + 1)), "é": {"b": None}, "c": [], "d": ["\ud800"]},
        list(range(3 * STEP)),
        [{"x": "\ud800 ü"}] * (3 * STEP + 1),
        {"data": [{"n": 1.5}] * (2 * STEP), "more": list(range(2 * STEP)), "end": True},
    ],
)
def test_an_answer_in_steps_is_the_whole(body: dict | list) -> None:
    assert json.loads(json_response(body).body) == body
