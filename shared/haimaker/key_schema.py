"""What the key operations accept. Imported only by them, since chat does not need it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError

from haimaker.errors import BadRequestError
from haimaker.schema import refuse
from haimaker.wire import JSON

MOST_USD = 10**7
MOST = 10**12

Label = Annotated[StrictStr, Field(min_length=1, max_length=512)]
Limit = Annotated[StrictInt, Field(ge=0, le=MOST)]
SPAN = r"[1-9](\d{0,8}s|\d{0,6}m|\d{0,5}h|\d{0,4}d|\d{0,3}w)"
"""In seconds, minutes, hours, days or weeks; the longest are of some centuries."""
Duration = Annotated[StrictStr, Field(pattern=f"^{SPAN}$")]
Lifetime = Annotated[StrictStr, Field(pattern=f"^(-1|{SPAN})$")]


class KeyFields(BaseModel):
    """An unknown field is refused: one that is a limit would otherwise be thought to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Label | None = None
    keys: Annotated[list[Label], Field(min_length=1, max_length=1_000)] | None = None
    key_alias: Label | None = None
    models: list[Label] | None = None
    max_budget: Annotated[StrictInt | StrictFloat, Field(ge=0, le=MOST_USD)] | None = None
    budget_duration: Duration | None = None
    duration: Lifetime | None = None
    rpm_limit: Limit | None = None
    tpm_limit: Limit | None = None
    max_parallel_requests: Limit | None = None
    team_id: Label | None = None
    user_id: Label | None = None
    tags: Annotated[list[Label], Field(max_length=100)] | None = None
    metadata: dict[str, Any] | None = None


def parse(body: JSON) -> KeyFields:
    """Raises BadRequestError, naming the field."""
    try:
        return KeyFields.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "extra_forbidden":
            name = str(first["loc"][0])[:100]
            raise BadRequestError(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter") from None
        if first["type"] == "string_pattern_mismatch":
            name = str(first["loc"][0])
            message = f"Invalid value for '{name}': a time is written as 30s, 30m, 30h, 30d or 4w."
            raise BadRequestError(message, param=name, code="invalid_value") from None
        refuse(error)
