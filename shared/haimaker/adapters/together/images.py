"""Images of Together: OpenAI's format, but for sizes, and for an edit's image, which is a link in the same call.

https://docs.together.ai/reference/post-images-generations
"""

from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.openai.images import PATHS, body_for, from_upstream, most_at_once
from haimaker.adapters.parameters import refuse_drawn, refused_error
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest
from haimaker.media import images as media_images
from haimaker.operations.attempt import Attempt
from haimaker.operations.image_forms import images_of
from haimaker.operations.images import ImageRequest

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]


def to_upstream(request: ImageRequest, attempt: Attempt) -> UpstreamRequest:
    body, dropped = body_for(request, attempt)
    body.pop("size", None)
    if size := request.size_asked:
        body |= {"width": size.width, "height": size.height}
    if request.files:
        refuse_drawn(request.files)
        [image, *others] = images_of(request.files)
        if others:
            raise refused_error("image", "one image")
        body["image_url"] = media_images.to_data_url(image.data)
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return UpstreamRequest(PATHS["images_generations"], dumps(body), headers, dropped=dropped)
