"""Embeddings of the `demo/` models: similar texts get vectors near each other, by the parts of words that they share.

Each run of three letters adds to a place of the vector that its hash names (feature hashing: https://arxiv.org/abs/0902.2206).
"""

import json
import math
import re
from hashlib import blake2b

from haimaker.demo import no_such_model
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse

MODELS = ("embedding",)
DIMENSIONS = 256


def send(request: UpstreamRequest, request_id: str, created_s: int) -> UpstreamResponse:
    body: JSON = json.loads(request.body)
    if body["model"] not in MODELS:
        return no_such_model(body["model"], MODELS)
    given = body["input"]
    inputs = [given] if isinstance(given, str) or isinstance(given[0], int) else given
    texts = [text if isinstance(text, str) else " ".join(map(str, text)) for text in inputs]
    size = min(body.get("dimensions") or DIMENSIONS, 4 * DIMENSIONS)
    data = [{"object": "embedding", "index": index, "embedding": vector(text, size)} for index, text in enumerate(texts)]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    answer = dumps({"object": "list", "data": data, "model": f"demo/{body['model']}", "usage": usage})
    return UpstreamResponse(200, {"content-type": "application/json"}, iter([answer]))


def vector(text: str, size: int = DIMENSIONS) -> list[float]:
    """A unit vector."""
    sums = [0.0] * size
    for word in re.findall(r"\w+", text.lower()) or [text]:
        padded = f"^{word}$"
        for start in range(max(1, len(padded) - 2)):
            digest = int.from_bytes(
                blake2b(padded[start : start + 3].encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
            )
            sums[digest % size] += 1.0 if digest >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in sums)) or 1.0
    return [round(value / length, 6) for value in sums]
