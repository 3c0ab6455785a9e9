"""What is kept of an answer that its vendor may pause, whatever its events say."""

from typing import Any

import pytest

from haimaker.adapters.anthropic.pauses import PausedTurn
from haimaker.http.errors import BadGatewayError
from haimaker.http.sse import dumps
from haimaker.http.values import Event

BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
STOP = {"type": "content_block_stop", "index": 0}


@pytest.mark.parametrize("index", [[0], {}, None, "0", 1.5])
def test_an_index_of_another_type_is_no_defect(index: Any) -> None:
    turn, events = PausedTurn(), [{**each, "index": index} for each in (BLOCK, DELTA, STOP)]
    assert len(list(turn.read(Event(dumps(event), event["type"]) for event in events))) == 3
    assert turn.content == [{"type": "text", "text": "Hi"}]


@pytest.mark.parametrize("data", [b"{", b"[]", b"1", b"\xff"])
def test_an_event_that_is_no_object_is_the_providers_error(data: bytes) -> None:
    with pytest.raises(BadGatewayError):
        list(PausedTurn().read([Event(data, "content_block_delta")]))
