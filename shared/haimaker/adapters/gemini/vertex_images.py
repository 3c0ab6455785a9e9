"""Images of Gemini's models and of Imagen on Vertex AI: the same bodies, under the publisher's name.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api. The base URL goes up to the location.
"""

from haimaker.adapters.gemini import images
from haimaker.adapters.gemini.images import from_upstream, most_at_once, read_error
from haimaker.http.values import UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.images import ImageRequest

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]


def to_upstream(request: ImageRequest, attempt: Attempt) -> UpstreamRequest:
    call = images.to_upstream(request, attempt)
    return replace(call, path=f"/publishers/google{call.path}")
