"""Every way in which a vendor's SDK knows that an answer may end means something here, so that one of tomorrow is noticed."""

from collections.abc import Iterable
from typing import Any, get_args

import pytest

from haimaker.adapters.anthropic import answer as anthropic
from haimaker.adapters.anthropic.pauses import PAUSED
from haimaker.adapters.bedrock import answer as bedrock
from haimaker.adapters.cohere import answer as cohere
from haimaker.adapters.gemini import answers as gemini
from haimaker.adapters.openai import answers as openai
from haimaker.adapters.openai.chat import FAILED
from haimaker.adapters.responses import answer as responses
from haimaker.providers.registry import get
from tests.support import vendor_schemas


def values(kind: Any) -> set[str]:
    """The texts of a Literal, wherever it is in a type."""
    return {each for inner in get_args(kind) for each in ({inner} if isinstance(inner, str) else values(inner))}


def googles() -> set[str]:
    from google.genai.types import FinishReason

    return {reason.value for reason in FinishReason} - {"FINISH_REASON_UNSPECIFIED"}


def anthropics() -> set[str]:
    from anthropic.types import StopReason

    return values(StopReason) | {"refusal"}


def coheres() -> set[str]:
    from cohere.types import ChatFinishReason

    return values(ChatFinishReason)


def mistrals() -> set[str]:
    from mistralai.client.models import ChatCompletionChoiceFinishReason

    return values(ChatCompletionChoiceFinishReason)


def openais() -> set[str]:
    from openai.types.chat.chat_completion import Choice

    return values(Choice.model_fields["finish_reason"].annotation)


def of_responses() -> set[str]:
    from openai.types.responses.response import IncompleteDetails

    return values(IncompleteDetails.model_fields["reason"].annotation) - {"max_messages", "steered"}


@pytest.mark.parametrize(
    ("known", "means"),
    [
        (googles, (gemini.FINISH_REASON, gemini.FAILED, gemini.EMPTY)),
        (anthropics, (anthropic.FINISH_REASON, {PAUSED})),
        (vendor_schemas.bedrock_stop_reasons, (bedrock.STOP_REASON, bedrock.FAILED)),
        (coheres, (cohere.FINISH_REASON, cohere.FAILED)),
        (mistrals, (openai.OPENAI_REASONS, get("mistral").dialect.answers.finish_reasons, {FAILED})),
        (openais, (openai.OPENAI_REASONS,)),
        (of_responses, (responses.FINISH_REASON,)),
    ],
    ids=["gemini", "anthropic", "bedrock", "cohere", "mistral", "openai", "responses"],
)
def test_each_reason_to_end_has_an_answer(known: Any, means: Iterable[Iterable[str]]) -> None:
    """Of a response that is incomplete any other reason is `length`: those were cut short too."""
    assert len(known()) >= 2
    assert known() - {reason for each in means for reason in each} == set()
