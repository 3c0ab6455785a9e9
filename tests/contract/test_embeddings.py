"""Embeddings through the official SDK: whole, in both encodings, failing, and within a budget."""

import base64
import struct

import openai
import pytest

from tests.contract.money_support import Desk
from tests.contract.sdk_support import only_record, sdk
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import Reply

MODEL = "hosted_vllm/embedder"
"""Priced in ROUTES: 1,000 nano-dollars a token."""
VECTOR = [0.5, -1.0, 0.25]


def answer(vectors: list[list[float]], tokens: int = 7) -> Reply:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Reply.json(200, {"object": "list", "data": data, "model": "embedder", "usage": usage})


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_the_vectors_arrive_in_the_encoding_asked_for(desk: Desk, upstream: FakeUpstream, key: str, encoding: str | None) -> None:
    """The SDK asks for base64 where its user does not say, and decodes it; the upstream gives numbers whatever it is asked."""
    upstream.answers(answer([VECTOR, VECTOR]))
    options = {"encoding_format": encoding} if encoding else {}
    found = sdk(desk, key).embeddings.create(model=MODEL, input=["a", "b"], **options)
    expected = base64.b64encode(struct.pack("<3f", *VECTOR)).decode() if encoding == "base64" else VECTOR
    assert [item.embedding for item in found.data] == [expected, expected]
    assert found.usage.prompt_tokens == 7
    assert only_record(desk, key).cost_nanousd == 7_000
    assert found.usage.model_dump()["cost"] == 7e-6


def test_the_providers_error_keeps_its_class(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}))
    with pytest.raises(openai.BadRequestError) as raised:
        sdk(desk, key).embeddings.create(model=MODEL, input="a")
    assert raised.value.code == "context_length_exceeded"
    assert only_record(desk, key).cost_nanousd == 0


def test_the_demo_puts_similar_texts_near_each_other(desk: Desk, key: str) -> None:
    texts = ["the cat sat on the mat", "a cat sits on a mat", "quarterly revenue grew"]
    one, near, far = (item.embedding for item in sdk(desk, key).embeddings.create(model="demo/embedding", input=texts).data)
    assert sum(a * b for a, b in zip(one, near, strict=True)) > 2 * sum(a * b for a, b in zip(one, far, strict=True))
