"""Images of the `demo/` models: a PNG whose colours and stripes come from the prompt, or from the image that was sent.

https://www.w3.org/TR/png-3/
"""

import base64
import json
import struct
import zlib
from hashlib import blake2b

from haimaker.demo import no_such_model
from haimaker.http import multipart
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse
from haimaker.pricing.image_variants import Size, parse_size

MODELS = ("image",)
SMALLEST, LARGEST = 16, 2_048
SQUARE = Size(1_024, 1_024)
IMAGE_TOKENS = 256


def send(request: UpstreamRequest, request_id: str, created_s: int) -> UpstreamResponse:
    content_type = request.headers.get("content-type", "")
    body: JSON = {}
    seed = b""
    if content_type.startswith("multipart/"):
        form = multipart.decode(content_type, request.body)
        body, seed = dict(form.fields), b"".join(file.data for _, file in form.files)
    else:
        body = json.loads(request.body)
    if body["model"] not in MODELS:
        return no_such_model(body["model"], MODELS)
    prompt = str(body.get("prompt", ""))
    asked = parse_size(body.get("size")) or SQUARE
    size = Size(*(min(max(side, SMALLEST), LARGEST) for side in asked))
    seeds = [seed + f"{number} {prompt}".encode("utf-8", "surrogatepass") for number in range(int(body.get("n") or 1))]
    data = [{"b64_json": base64.b64encode(png(each, size)).decode(), "revised_prompt": prompt or None} for each in seeds]
    words, made = len(prompt.split()), len(data) * IMAGE_TOKENS
    usage = {"input_tokens": words, "output_tokens": made, "total_tokens": words + made}
    shown = f"{size.width}x{size.height}"
    answer = {"created": created_s, "size": shown, "output_format": "png", "data": data, "usage": usage}
    return UpstreamResponse(200, {"content-type": "application/json"}, iter([dumps(answer)]))


def png(seed: bytes, size: Size) -> bytes:
    """Stripes across a run from one colour to another, all of them drawn from the hash of `seed`."""
    digest = blake2b(seed, digest_size=16).digest()
    first, second, stripe = digest[:3], digest[3:6], 8 + digest[6] % 56
    rows = bytearray()
    for y in range(size.height):
        share = y / size.height
        colour = bytes(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
        darker = bytes(value * 3 // 4 for value in colour)
        period = (colour * stripe + darker * stripe) * (size.width // (2 * stripe) + 2)
        start = 3 * (y % (2 * stripe))
        rows += b"\0" + period[start : start + 3 * size.width]
    header = struct.pack(">IIBBBBB", size.width, size.height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
