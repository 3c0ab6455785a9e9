"""Which lines become one batch of their provider's own, by what it takes in one."""

from pathlib import Path
from typing import Any

import pytest

from haimaker.batches.native import NativeCall
from haimaker.batches.native_answers import FolderFiles
from haimaker.batches.native_plan import ITEM_BYTES, plan_parts
from haimaker.providers.provider import NativeBatches


def call(body: bytes = b"{}", inputs: int = 1, target: str = "openai/a") -> NativeCall:
    return NativeCall("openai", target, "/embeddings", target, {}, body, inputs)


@pytest.mark.parametrize(
    ("limits", "calls", "wanted"),
    [
        ({}, [call(), call(), None, call()], [(0, 3, 3)]),
        ({"most_lines": 2}, [call(), call(), call()], [(0, 1, 2), (2, 2, 1)]),
        ({"most_bytes": 2 * ITEM_BYTES + 4}, [call(), call(), call(), call(bytes(ITEM_BYTES * 2))], [(0, 1, 2), (2, 2, 1)]),
        ({"most_inputs": 5}, [call(inputs=2), call(inputs=2), call(inputs=2), call()], [(0, 1, 2), (2, 3, 2)]),
        ({"least_lines": 2}, [call(), call(target="openai/b"), call()], [(0, 2, 2)]),
    ],
)
def test_lines_are_put_together(
    limits: dict[str, Any], calls: list[NativeCall | None], wanted: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    rules = NativeBatches("openai", ("/embeddings",), **limits)
    found = plan_parts(enumerate(calls), lambda _: rules, FolderFiles(tmp_path), 1)
    assert [(part.first, part.last, part.lines) for part in found] == wanted
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == len(wanted)
