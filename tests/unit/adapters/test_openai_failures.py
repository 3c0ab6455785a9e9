from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.adapters.openai.failures import from_body, read_error
from haimaker.http.values import ErrorFields

TOO_LONG = "context_length_exceeded"
REFUSED = "content_policy_violation"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # OpenAI
        ({"error": {"message": "m", "type": "invalid_request_error", "param": "n", "code": None}}, ErrorFields("m", None, "n")),
        ({"error": {"message": "m", "type": "tokens", "code": "rate_limit_exceeded"}}, ErrorFields("m", "rate_limit_exceeded")),
        ({"error": {"message": "m", "type": "insufficient_quota", "code": None}}, ErrorFields("m", "insufficient_quota")),
        ({"error": {"message": "m", "code": TOO_LONG}}, ErrorFields("m", TOO_LONG)),
        ({"error": {"message": "m", "code": "invalid_prompt"}}, ErrorFields("m", REFUSED)),
        # Azure, through a server of one's own
        ({"error": {"message": "The response was filtered due to the content management policy", "code": "content_filter"}},
         ErrorFields("The response was filtered due to the content management policy", REFUSED)),
        # OpenRouter: the code is a status
        ({"error": {"message": "m", "code": 429, "metadata": {}}}, ErrorFields("m")),
        # vLLM and Mistral: at the top
        ({"object": "error", "message": "m", "type": "BadRequestError", "code": 400}, ErrorFields("m", "BadRequestError")),
        ({"message": "Prompt is too long", "type": "invalid_request_error"}, ErrorFields("Prompt is too long", TOO_LONG)),
        ({"detail": "Not Found"}, ErrorFields("Not Found")),
        ({"detail": [{"type": "missing", "loc": ["body", "messages", 0], "msg": "Field required"}]},
         ErrorFields("body.messages.0: Field required")),
        ({"message": {"detail": [{"msg": "Field required"}]}}, ErrorFields("Field required")),
        ({"detail": [{"loc": 3}]}, ErrorFields()),
        ({"detail": []}, ErrorFields()),
        # llama.cpp, Ollama, Gemini's list
        ({"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}},
         ErrorFields("the request exceeds the available context size", TOO_LONG)),
        ({"error": "model 'x' not found"}, ErrorFields("model 'x' not found")),
        ([{"error": {"message": "m", "status": "X"}}], ErrorFields("m")),
        # Fireworks' edge, Clarifai, GMI Cloud quoting the server behind
        ({"fault": {"faultstring": "m", "detail": {"errorcode": "x"}}}, ErrorFields("m")),
        ({"status": {"code": 21200, "description": "Model does not exist"}, "outputs": []}, ErrorFields("Model does not exist")),
        ({"status": 404, "message": "m"}, ErrorFields("m")),
        ({"error": {"code": 400, "message": "Bad Request", "details": '{"error": {"message": "Prompt is too long"}}'}},
         ErrorFields("Prompt is too long", TOO_LONG)),
        ({"error": {"message": "m", "details": "{half"}}, ErrorFields("m")),
        ({"error": {"message": "m", "details": '{"error": {}}'}}, ErrorFields("m")),
        # nothing that can be read
        ([], ErrorFields()), ({}, ErrorFields()), (None, ErrorFields()), (3, ErrorFields()), ("<html>", ErrorFields("<html>")),
        ({"error": {"message": {"a": 1}, "code": {}, "param": 3, "type": 3}}, ErrorFields()),
    ],
    ids=lambda value: repr(value)[:60],
)  # fmt: skip
def test_what_an_error_body_says(body: Any, expected: ErrorFields) -> None:
    assert read_error(body) == expected


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"message": "m", "code": 429}}, 429),
        ({"error": {"message": "m", "code": "503"}}, 503),
        ({"error": {"message": "m", "status_code": 400, "code": "tool_use_failed"}}, 400),
        ({"error": {"message": "m", "status": 529}}, 529),
        ({"error": {"message": "m", "code": 401}}, 502),
        ({"error": {"message": "m", "code": 200}}, 502),
        ({"error": {"message": "m", "code": True}}, 502),
        ({"error": {"message": "m", "code": 99999}}, 502),
        ({"error": {"message": "m", "code": TOO_LONG}}, 400),
        ({"error": {"message": "maximum context length is 5"}}, 400),
        ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, 429),
        ({"error": "m"}, 502),
        ({"error": ["m"]}, 502),
    ],
)
def test_the_status_that_an_error_in_an_answer_would_have_had(body: Any, status: int) -> None:
    assert from_body(body).status == status


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "code", "param", "type", "status", "msg", "loc"]), inner, max_size=4
        )
    ),
)


@given(anything)
def test_any_body_is_read(body: Any) -> None:
    said = read_error(body)
    assert isinstance(said.message, str)
    assert 400 <= from_body({"error": body}).status <= 599
