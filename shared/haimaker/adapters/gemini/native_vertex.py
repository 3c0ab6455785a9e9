"""Google's own format on Vertex AI: the same body, under the publisher's name.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
"""

from haimaker.adapters.gemini import native
from haimaker.adapters.gemini.native import from_stream, from_upstream, read_error
from haimaker.http.json import parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_count", "to_upstream"]

COUNTED = ("contents", "systemInstruction", "system_instruction", "tools", "generationConfig", "generation_config")
"""https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/count-tokens"""


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    call = native.to_upstream(request, attempt)
    return replace(call, path=f"/publishers/google{call.path}")


def to_count(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    call = native.to_count(request, attempt)
    asked = parse_json(call.body)["generateContentRequest"]
    counted = {name: value for name, value in asked.items() if name in COUNTED}
    return replace(call, path=f"/publishers/google{call.path}", body=dumps(counted))
