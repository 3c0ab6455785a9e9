"""What the fields of every operation's body have in common, and how a body that is wrong is refused. Pure."""

from typing import Annotated, NoReturn

from haimaker.http.errors import invalid_parameter, missing_parameter
from haimaker.http.values import JSON
from haimaker.lean_pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError
from haimaker.validation.bounds import Name, TokenIds

OURS = frozenset({"drop_params"})
"""Fields of a body that are for the gateway and never sent."""
MAX_PROMPTS = 2_048

ManyTokenIds = Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_PROMPTS, fail_fast=True)]


class CheckedFields(BaseModel):
    """A part of a request, whose validator is a part of the request's, and built with that."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class CommonFields(CheckedFields):
    """What every operation has. A validator takes time to build, so a function builds that of its own operation only, when it is
    first used."""

    model: Annotated[StrictStr, Field(min_length=1, max_length=512)]
    stream: StrictBool | None = None
    user: Name | None = None
    drop_params: StrictBool | None = None


def with_model(body: JSON, model: str | None) -> JSON:
    """The body with the model that the path names, if it does."""
    return body if model is None else {**body, "model": model}


def raise_validation_error(error: ValidationError) -> NoReturn:
    """Raises the first thing that is wrong as a BadRequestError whose `param` names it as OpenAI does: `messages[0].role`."""
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    param = _path(first["loc"])
    if first["type"] == "missing":
        raise missing_parameter(param)
    alternatives = dict.fromkeys(other["msg"] for other in others if _path(other["loc"]) == param and other["msg"] != first["msg"])
    said = " or ".join((first["msg"], *(message.removeprefix("Input should be ") for message in alternatives)))
    raise invalid_parameter(param, said)


def _path(location: tuple[int | str, ...]) -> str:
    """Pydantic's location without the names of union members, which follow the field they belong to."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and part not in ("str", "int", "float", "bool"):
            path += f".{part}" if path else part
    return path
