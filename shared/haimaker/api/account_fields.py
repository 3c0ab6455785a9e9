"""What the operations on keys, teams and end users accept. Imported only by them, since chat does not need it."""

import re
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from haimaker.http.errors import BadRequestError, invalid_value, unknown_parameter
from haimaker.http.sse import dumps
from haimaker.http.values import JSON
from haimaker.lean_pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)
from haimaker.operations.fields import raise_validation_error
from haimaker.pricing.amounts import DURATION, MONTHS
from haimaker.store import MAX_MODEL_LIMITS

MAX_BUDGET_USD = 10**7
MAX_LIMIT = 10**12
MAX_BYTES = 65_536
"""The size of `metadata` and of `router_settings` as JSON: an item of DynamoDB has 400 KB in all."""

Label = Annotated[StrictStr, Field(min_length=1, max_length=512)]
Labels = Annotated[list[Label], Field(min_length=1, max_length=1_000, fail_fast=True)]
Models = Annotated[list[Label], Field(max_length=1_000, fail_fast=True)]
Limit = Annotated[StrictInt, Field(ge=0, le=MAX_LIMIT)]
USD = Annotated[StrictInt | StrictFloat, Field(ge=0, le=MAX_BUDGET_USD)]
Duration = Annotated[StrictStr, Field(pattern=f"^{DURATION}$", max_length=16)]
Window = Annotated[StrictStr, Field(pattern=f"^({DURATION}|{MONTHS})$", max_length=16)]
Lifetime = Annotated[StrictStr, Field(pattern=f"^(-1|{DURATION})$", max_length=16)]
TEAM_ID = r"^[A-Za-z0-9._:@-]{1,128}$"
TeamId = Annotated[StrictStr, Field(pattern=TEAM_ID, max_length=128)]
PATTERNS = {
    f"^{DURATION}$": "be a time such as 30s, 30m, 30h, 30d or 4w",
    f"^({DURATION}|{MONTHS})$": "be a time such as 30s, 30m, 30h, 30d, 4w or 1mo",
    f"^(-1|{DURATION})$": "be a time such as 30s, 30m, 30h, 30d or 4w, or -1",
    TEAM_ID: "have up to 128 letters, digits and . _ : @ -",
}
"""By a text's pattern, what it must be or have."""


def _to_number(value: object) -> object:
    """LiteLLM's documentation writes amounts as texts."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"\d{1,8}(\.\d{1,9})?", value, re.ASCII) else value


class ModelBudget(BaseModel):
    """The budget of one model, in either of LiteLLM's names, or an amount; without a time it is renewed with the account's.

    https://docs.litellm.ai/docs/proxy/users#set-budgets
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    budget_limit: Annotated[USD, BeforeValidator(_to_number)] = Field(validation_alias=AliasChoices("budget_limit", "max_budget"))
    time_period: Window | None = Field(None, validation_alias=AliasChoices("time_period", "budget_duration"))


def _to_model_budget(value: object) -> object:
    return {"budget_limit": value} if isinstance(value, int | float) else value


ModelBudgets = Annotated[dict[Label, Annotated[ModelBudget, BeforeValidator(_to_model_budget)]], Field(max_length=MAX_MODEL_LIMITS)]
Limits = Annotated[dict[Label, Limit], Field(max_length=MAX_MODEL_LIMITS)]


class Fields(BaseModel):
    """What every account may have. An unknown field is refused: one that is a limit would otherwise be thought to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    not_kept: ClassVar[frozenset[str]] = frozenset()
    """Fields that name accounts or say how they are changed, and are no part of one."""

    max_budget: USD | None = None
    soft_budget: USD | None = None
    budget_duration: Window | None = None
    rpm_limit: Limit | None = None
    tpm_limit: Limit | None = None
    max_parallel_requests: Limit | None = None
    model_max_budget: ModelBudgets | None = None
    model_rpm_limit: Limits | None = None
    model_tpm_limit: Limits | None = None
    metadata: dict[str, Any] | None = None


class KeyFields(Fields):
    not_kept = frozenset({"key", "keys", "grace_period"})

    key: Label | None = None
    keys: Labels | None = None
    key_alias: Label | None = None
    models: Models | None = None
    duration: Lifetime | None = None
    team_id: TeamId | None = None
    user_id: Label | None = None
    tags: Annotated[list[Label], Field(max_length=100, fail_fast=True)] | None = None
    aliases: Annotated[dict[Label, Label], Field(max_length=100)] | None = None
    default_model: Label | None = None
    router_settings: dict[str, Any] | None = None
    auto_router_id: Label | None = None
    log_content: StrictBool | None = None
    role: Literal["admin", "viewer", "team_admin", "user"] | None = None
    grace_period: Duration | None = None


class TeamFields(Fields):
    not_kept = frozenset({"team_id", "team_ids"})

    team_id: TeamId | None = None
    team_ids: Annotated[list[TeamId], Field(min_length=1, max_length=1_000, fail_fast=True)] | None = None
    team_alias: Label | None = None
    models: Models | None = None
    blocked: StrictBool | None = None


class EndUserFields(Fields):
    not_kept = frozenset({"user_id", "user_ids"})

    user_id: Label | None = None
    user_ids: Labels | None = None
    alias: Label | None = None
    blocked: StrictBool | None = None


WITHOUT_EFFECT = ("key_type", "user_role", "permissions", "guardrails", "config", "send_invite_email", "allowed_cache_controls")
"""Fields of keys that LiteLLM's scripts send along. They are taken, and named in the answer, since they limit neither what a key
spends nor what it may ask for. https://docs.litellm.ai/docs/proxy/virtual_keys"""
KEY_TYPES = ("default", "llm_api")
"""What every key is here. Another type would be thought to keep it from something."""
AnyFields = TypeVar("AnyFields", bound=Fields)


def find_without_effect(body: JSON) -> list[str]:
    """Fields of a body that say something, and that have no counterpart here."""
    return [name for name in WITHOUT_EFFECT if body.get(name) and name != "key_type"]


def parse(body: JSON, kind: type[AnyFields]) -> AnyFields:
    """The fields of a body. Raises BadRequestError, which names the field."""
    if kind is KeyFields:
        if body.get("key_type") not in (None, *KEY_TYPES):
            raise invalid_value(
                "key_type", f"one of {', '.join(KEY_TYPES)}; a key that sees all and changes nothing has the role viewer"
            )
        body = {name: value for name, value in body.items() if name not in WITHOUT_EFFECT}
    unknown = next((name for name in body if name not in kind.model_fields), None)
    if unknown is not None:
        raise unknown_parameter(unknown[:100])
    for name in ("metadata", "router_settings"):
        if len(dumps({name: body.get(name)})) > MAX_BYTES:
            raise BadRequestError(f"'{name}' may have at most {MAX_BYTES} bytes of JSON.", param=name, code="invalid_value")
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise_validation_error(error, PATTERNS)
