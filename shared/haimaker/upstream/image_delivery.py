"""Delivers images as the client wants them, as bytes or by link, whatever the provider gave: keeps files, and fetches links.

Nothing here fails a request that has been paid for: an image that can't be converted comes as it is, and the client is told.
"""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from haimaker.blobs import BlobError
from haimaker.http.errors import BadRequestError, GatewayBusyError
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.links import LinkStore
from haimaker.media import images as media_images
from haimaker.operations.images import ImageResponseFormat
from haimaker.operations.operation import Result

if TYPE_CHECKING:
    from haimaker.upstream.image_fetcher import FetchBounds, ImageFetcher

FETCH_S = 30.0
AT_ONCE = 5


class Delivered(NamedTuple):
    result: Result
    dropped: tuple[str, ...] = ()
    """Parameters that could not be followed."""
    problem: str = ""
    """What the deployer's log says; empty where all went well."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """`files` is None where the gateway has no place for them."""

    files: LinkStore | None
    fetcher: "ImageFetcher"
    bounds: "FetchBounds"

    def deliver(self, result: Result, response_format: ImageResponseFormat | None) -> Delivered:
        """The result with its images in the response format; None is both, where bytes are at hand, and follows no link."""
        if not isinstance(result.body, dict):
            return Delivered(result)
        problems: list[str] = []

        images: list[JSON] = result.body["data"]
        with ThreadPoolExecutor(min(AT_ONCE, len(images))) as threads:
            data = list(threads.map(lambda image: self._convert(image, response_format, problems.append), images))
        missing = response_format is not None and any(not image.get(response_format) for image in data)
        return Delivered(
            result._replace(body={**result.body, "data": data}),
            ("response_format",) if missing else (),
            "; ".join(dict.fromkeys(problems)),
        )

    def _convert(self, image: JSON, response_format: ImageResponseFormat | None, tell: Callable[[str], None]) -> JSON:
        url, encoded = image.get("url"), image.get("b64_json")
        if isinstance(url, str) and url.startswith("data:"):
            encoded = encoded or url.partition(",")[2]
            url = None
        if response_format == "b64_json":
            encoded = encoded or self._fetch(url, tell)
            url = None if encoded else url
        elif encoded and not url:
            url = self._store(encoded, tell)
            encoded = None if url and response_format == "url" else encoded
        elif response_format == "url" and url:
            encoded = None
        told = {**image, "b64_json": encoded, "url": url}
        return {name: value for name, value in told.items() if value is not None}

    def _store(self, encoded: str, tell: Callable[[str], None]) -> str | None:
        data = media_images.from_base64(encoded)
        if self.files is None or data is None:
            return None
        try:
            return self.files.put(data, media_images.sniff_type(data) or media_images.DEFAULT_TYPE)
        except BlobError as error:
            tell(f"an image could not be kept: {error}")
            return None

    def _fetch(self, url: object, tell: Callable[[str], None]) -> str | None:
        if not isinstance(url, str):
            return None
        try:
            return base64.b64encode(self.fetcher.fetch(url, "response_format", self.bounds)).decode()
        except (BadRequestError, GatewayBusyError):
            tell("an image could not be fetched from where its provider put it")
            return None
