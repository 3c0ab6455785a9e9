"""Images as the client wants them: kept for a link, fetched for bytes; and what comes where neither is possible."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from haimaker.blobs import BlobError
from haimaker.http.errors import BadRequestError
from haimaker.links import LinkStore
from haimaker.links.local import LocalLinkStore
from haimaker.operations.operation import Result
from haimaker.upstream.image_delivery import Delivery
from haimaker.upstream.image_fetcher import FetchBounds

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
LINK = "https://images.example/1.png"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass
class Fetcher:
    """Finds one image, at LINK."""

    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str, param: str, bounds: FetchBounds) -> bytes:
        self.asked.append(url)
        if url != LINK:
            raise BadRequestError("not there", param=param)
        return PNG


class Full:
    """A store in which nothing can be put."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        raise BlobError("the disk is full")

    def get(self, key: str, max_bytes: int) -> bytes:
        raise BlobError("the disk is full")

    def link(self, method: str, key: str, lasts_s: int) -> str:
        raise BlobError("the disk is full")

    def delete_expired(self) -> None:
        raise BlobError("the disk is full")


def delivered(files: LinkStore | None, wanted: Any, *images: dict[str, Any]) -> Any:
    fetcher: Any = Fetcher()
    return Delivery(files, fetcher, FetchBounds(0.0)).deliver(Result({"created": 1, "data": list(images)}), wanted)


BYTES = {"b64_json": encoded(PNG), "url": None}
LINKED = {"b64_json": None, "url": LINK}


@pytest.mark.parametrize(
    ("image", "wanted", "has_link", "has_bytes"),
    [
        (BYTES, None, True, True),
        (BYTES, "url", True, False),
        (BYTES, "b64_json", False, True),
        ({"b64_json": encoded(SVG)}, "url", True, False),
        ({"url": f"data:image/png;base64,{encoded(PNG)}"}, "url", True, False),
        ({"url": f"data:image/png;base64,{encoded(PNG)}"}, "b64_json", False, True),
        (LINKED, None, True, False),
        (LINKED, "url", True, False),
        (LINKED, "b64_json", False, True),
        ({"b64_json": encoded(PNG), "url": LINK}, "url", True, False),
        ({"b64_json": encoded(PNG), "url": LINK}, None, True, True),
    ],
)
def test_an_image_comes_as_it_is_wanted(
    tmp_path: Path, image: dict[str, Any], wanted: Any, has_link: bool, has_bytes: bool
) -> None:
    found = delivered(LocalLinkStore.in_folder(tmp_path, "http://h"), wanted, image, image)
    for each in found.result.body["data"]:
        assert ("url" in each, "b64_json" in each) == (has_link, has_bytes)
        if has_bytes:
            assert base64.b64decode(each["b64_json"]) == PNG
    assert (found.dropped, found.problem) == ((), "")
    assert {file.suffix for file in tmp_path.rglob("*.*")} <= {".png", ".svg"}


@pytest.mark.parametrize(
    ("files", "image", "wanted", "dropped", "problem"),
    [
        (None, BYTES, "url", ("response_format",), ""),
        (None, BYTES, None, (), ""),
        (lambda: LinkStore(Full()), BYTES, "url", ("response_format",), "an image could not be kept: the disk is full"),
        (lambda: LinkStore(Full()), BYTES, None, (), "an image could not be kept: the disk is full"),
        (None, {"url": "http://10.0.0.1/a"}, "b64_json", ("response_format",), "an image could not be fetched"),
    ],
)
def test_what_cannot_be_turned_comes_as_it_is(
    files: Callable[[], LinkStore] | None, image: dict[str, Any], wanted: Any, dropped: tuple[str, ...], problem: str
) -> None:
    found = delivered(files() if files else None, wanted, image, image)
    assert [{name: each.get(name) for name in image} for each in found.result.body["data"]] == [image, image]
    assert found.dropped == dropped
    assert found.problem.startswith(problem)
