"""`gateway.toml`: the deployer's own names and prices, parsed and checked. Imported only when the file says something."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from haimaker.access import SettingsError
from haimaker.prices import Facts
from haimaker.providers import BY_NAME
from haimaker.routing import Config, Route, Weighted, facts_of_base

MODEL = r"^[^\s/]+(/\S+)?$"
Model = Annotated[str, Field(pattern=MODEL)]
Target = Annotated[str, Field(pattern=r"^[^\s/]+/\S+$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Target(_Table):
    model: Model
    weight: Annotated[float, Field(gt=0, le=1e6)] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, target: object) -> object:
        """A name alone is a target of weight 1; as a union of types its errors would not name the field."""
        return {"model": target} if isinstance(target, str) else target


class _Route(_Table):
    targets: Annotated[list[_Target], Field(min_length=1)]
    fallbacks: list[Model] = []
    context_window_fallbacks: list[Model] = []
    content_policy_fallbacks: list[Model] = []
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    timeout_s: Annotated[float, Field(gt=0, le=890)] = 590.0

    def route(self) -> Route:
        return Route(
            targets=tuple(Weighted(target.model, target.weight) for target in self.targets),
            fallbacks=tuple(self.fallbacks),
            context_window_fallbacks=tuple(self.context_window_fallbacks),
            content_policy_fallbacks=tuple(self.content_policy_fallbacks),
            retries=self.retries,
            timeout_s=self.timeout_s,
        )


class _Model(_Table):
    base_model: Annotated[str, Field(min_length=1)]


class _File(_Table):
    routes: dict[Model, _Route] = {}
    models: dict[Target, _Model] = {}
    prices: dict[Target, dict[str, str | int | float]] = {}

    @field_validator("models")
    @classmethod
    def _known(cls, models: dict[str, _Model]) -> dict[str, _Model]:
        for name, model in models.items():
            provider = name.partition("/")[0]
            if provider not in BY_NAME or not facts_of_base(provider, model.base_model):
                raise ValueError(f"{name}: the table of prices has no {model.base_model!r}; it may be written provider/model")
        return models

    @field_validator("prices")
    @classmethod
    def _priced(cls, prices: dict[str, dict[str, str | int | float]]) -> dict[str, dict[str, str | int | float]]:
        for name, price in prices.items():
            Facts.unknown(*name.split("/", 1)).with_prices(price)
        return prices


def parse(text: str, path: Path) -> Config:
    """The routes, prices and models of a file. Raises SettingsError, naming the place in the file."""
    try:
        parsed = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {place}: {first['msg']}.") from None
    return Config(
        {name: table.route() for name, table in parsed.routes.items()},
        parsed.prices,
        {name: table.base_model for name, table in parsed.models.items()},
    )
