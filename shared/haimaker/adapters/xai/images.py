"""Images of xAI: OpenAI's format, but for sizes, which are ratios, and for edits, which are JSON with links.

https://docs.x.ai/docs/guides/image-generations
"""

from typing import Any

from haimaker.adapters.image_ratios import nearest
from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.openai.images import PATHS, body_for, from_upstream, most_at_once
from haimaker.adapters.parameters import refuse_drawn
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest
from haimaker.media import images as media_images
from haimaker.operations.attempt import Attempt
from haimaker.operations.image_forms import images_of
from haimaker.operations.images import ImageRequest

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

RATIOS = ("1:1", "2:1", "20:9", "19.5:9", "16:9", "4:3", "3:2", "2:3", "3:4", "9:16", "9:19.5", "9:20", "1:2")


def to_upstream(request: ImageRequest, attempt: Attempt) -> UpstreamRequest:
    body, dropped = body_for(request, attempt)
    body.pop("size", None)
    if ratio := nearest(request.size_asked, RATIOS):
        body.setdefault("aspect_ratio", ratio)
    if request.files:
        refuse_drawn(request.files)
        images: list[Any] = [{"type": "image_url", "url": media_images.to_data_url(file.data)} for file in images_of(request.files)]
        body |= {"image": images[0]} if len(images) == 1 else {"images": images}
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return UpstreamRequest(PATHS[request.kind], dumps(body), headers, dropped=dropped)
