"""What the fields of every operation's body have in common, and how a body that is wrong is refused. Pure."""

from collections.abc import Mapping
from typing import Annotated, NoReturn

from haimaker.http.errors import invalid_parameter, missing_parameter, unknown_parameter
from haimaker.http.values import JSON
from haimaker.lean_pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError
from haimaker.validation.bounds import Name, TokenIds
from haimaker.validation.field_words import join_words, words_of

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


def raise_validation_error(error: ValidationError, patterns: Mapping[str, str] = {}) -> NoReturn:
    """Raises the first thing that is wrong as a BadRequestError whose `param` names it as OpenAI does, `messages[0].role`, and
    whose message says what it must be; `patterns` has the words of patterns, such as `be a time such as 30d`."""
    first, *others = error.errors(include_url=False, include_input=False)
    param = _path(first["loc"])
    if first["type"] == "missing":
        raise missing_parameter(param)
    if first["type"] == "extra_forbidden":
        raise unknown_parameter(param)
    said, within = [words_of(first["type"], first.get("ctx", {}), patterns)], ""
    for other in others:  # of the other types that a value may have, the first of which it has not
        words, path = words_of(other["type"], other.get("ctx", {}), patterns), _path(other["loc"])
        if path == param:
            said.append(words)
        elif path.startswith((f"{param}[", f"{param}.")):
            within = within or f", or '{path}' must {words}"
    subject = "a name in it" if first["loc"][-1:] == ("[key]",) else "it"
    raise invalid_parameter(param, f"{subject} must {join_words(said)}{within}")


def _path(location: tuple[int | str, ...]) -> str:
    """Pydantic's location without the names of union members, which follow the field they belong to, and have no slash, as models'
    names have, by which limits are given."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and part not in ("str", "int", "float", "bool"):
            path += f".{part}" if path else part
        elif "/" in part:
            path += f"['{part[:100]}']"
    return path
