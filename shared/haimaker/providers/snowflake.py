"""Snowflake Cortex.

https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api
"""

from typing import Any

from haimaker.http.values import JSON
from haimaker.models.matching import OTHERS
from haimaker.providers.common import MAX_COMPLETION_TOKENS
from haimaker.providers.family_rules import FamilyRule
from haimaker.providers.provider import AnswerRules, Auth, Dialect, Endpoint, Limits, Provider

HOLLOW = ("function_call", "audio")
"""Fields of a message that it fills with empty values where the model said nothing of the kind."""


def without_hollow_fields(body: JSON) -> JSON:
    """An answer or an event in which such a field is null."""
    choices = body.get("choices")
    if not isinstance(choices, list):
        return body
    mended = [_choice(choice) for choice in choices]
    return body if all(new is old for new, old in zip(mended, choices, strict=True)) else {**body, "choices": mended}


def _choice(choice: Any) -> Any:
    for holder in ("message", "delta"):
        said = choice.get(holder) if isinstance(choice, dict) else None
        if isinstance(said, dict):
            hollow = [name for name in HOLLOW if isinstance(found := said.get(name), dict) and not any(found.values())]
            choice = {**choice, holder: {**said, **dict.fromkeys(hollow)}} if hollow else choice
    return choice


PROVIDER = Provider(
    "snowflake",
    endpoint=Endpoint("https://{SNOWFLAKE_ACCOUNT}.snowflakecomputing.com/api/v2/cortex/v1"),
    auth=Auth(key_variables=("SNOWFLAKE_TOKEN", "SNOWFLAKE_JWT")),
    dialect=Dialect(
        rename=MAX_COMPLETION_TOKENS,
        strips_tool_fields=("strict",),
        family_rules={
            **dict.fromkeys(("claude", "gpt", "gpt-4", "gpt-oss", "o-series"), FamilyRule()),
            OTHERS: FamilyRule(refuse=("tools",)),
        },
        answers=AnswerRules(mend=without_hollow_fields),
    ),
    limits=Limits(single_choice=True),
)
