"""What is wrong with a field is said in plain words, by its name, whatever pydantic found."""

import math
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

import haimaker.operations
from haimaker.api import account_fields
from haimaker.api.account_fields import EndUserFields, KeyFields, TeamFields
from haimaker.http.errors import BadRequestError
from haimaker.lean_pydantic import BaseModel, Schema, ValidationError, schema_of
from haimaker.operations.chat import ChatFields
from haimaker.operations.embeddings import EmbeddingFields
from haimaker.operations.fields import raise_validation_error
from haimaker.operations.transcriptions import TranscriptionFields
from haimaker.validation.field_words import WORDS

CHAT: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
TIME = "be a time such as 30s, 30m, 30h, 30d"
BY_MODEL = "model_max_budget['openai/gpt-4o']"


def message_of(kind: type[BaseModel], body: object) -> str:
    with pytest.raises(ValidationError) as found:
        kind.model_validate(body)
    with pytest.raises(BadRequestError) as caught:
        raise_validation_error(found.value, account_fields.PATTERNS)
    assert caught.value.param
    assert f"'{caught.value.param}'" in caught.value.message
    return caught.value.message.removeprefix("Invalid value for ")


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (KeyFields, {"keys": []}, "'keys': it must not be empty."),
        (KeyFields, {"keys": ["a"] * 1_001}, "'keys': it must have at most 1000 items."),
        (KeyFields, {"models": "openai/*"}, "'models': it must be a list."),
        (KeyFields, {"models": ["openai/*", 1]}, "'models[1]': it must be a string."),
        (KeyFields, {"key_alias": ""}, "'key_alias': it must not be empty."),
        (KeyFields, {"key_alias": "x" * 513}, "'key_alias': it must have at most 512 characters."),
        (KeyFields, {"key_alias": "\ud800"}, "'key_alias': it must be text in valid Unicode."),
        (KeyFields, {"log_content": "yes"}, "'log_content': it must be true or false."),
        (KeyFields, {"role": "boss"}, "'role': it must be 'admin', 'viewer', 'team_admin' or 'user'."),
        (KeyFields, {"metadata": []}, "'metadata': it must be an object."),
        (KeyFields, {"aliases": {"": "x"}}, "'aliases': a name in it must not be empty."),
        (KeyFields, {"rpm_limit": 1.5}, "'rpm_limit': it must be a whole number."),
        (KeyFields, {"rpm_limit": -1}, "'rpm_limit': it must be at least 0."),
        (KeyFields, {"max_budget": "much"}, "'max_budget': it must be a number."),
        (KeyFields, {"max_budget": 10**9}, "'max_budget': it must be at most 10000000."),
        (KeyFields, {"max_budget": math.nan}, "'max_budget': it must be at least 0."),
        (KeyFields, {"duration": "1y"}, f"'duration': it must {TIME} or 4w, or -1."),
        (KeyFields, {"budget_duration": "1y"}, f"'budget_duration': it must {TIME}, 4w or 1mo."),
        (KeyFields, {"grace_period": "1mo"}, f"'grace_period': it must {TIME} or 4w."),
        (KeyFields, {"nonsense": 1}, "Unknown parameter: 'nonsense'."),
        (KeyFields, {"model_max_budget": {"openai/gpt-4o": {}}}, f"Missing required parameter: '{BY_MODEL}.budget_limit'."),
        (KeyFields, {"model_max_budget": {"openai/gpt-4o": "x"}}, f"'{BY_MODEL}': it must be an object."),
        (KeyFields, {"model_rpm_limit": {"openai/gpt-4o": -1}}, "'model_rpm_limit['openai/gpt-4o']': it must be at least 0."),
        (TeamFields, {"team_ids": ["a b"]}, "'team_ids[0]': it must have up to 128 letters, digits and . _ : @ -."),
        (EndUserFields, {"user_ids": {}}, "'user_ids': it must be a list."),
        (ChatFields, {**CHAT, "temperature": "1"}, "'temperature': it must be a number."),
        (ChatFields, {**CHAT, "user": "x" * 513}, "'user': it must have at most 512 characters."),
        (ChatFields, {**CHAT, "stop": 1}, "'stop': it must be a string or a list."),
        (ChatFields, {**CHAT, "stream_options": 1}, "'stream_options': it must be an object."),
        (ChatFields, {**CHAT, "messages": []}, "'messages': it must not be empty."),
        (ChatFields, {"model": "m"}, "Missing required parameter: 'messages'."),
        (EmbeddingFields, {"model": "m", "input": 5}, "'input': it must be a string or a list."),
        (EmbeddingFields, {"model": "m", "input": ""}, "'input': it must not be empty or be a list."),
        (TranscriptionFields, {"model": "m", "file": "x", "temperature": "hot"}, "'temperature': it must be a number."),
        (TranscriptionFields, {"model": "m", "file": "x", "temperature": "inf"}, "'temperature': it must be a finite number."),
        (TranscriptionFields, {"model": "m", "timestamp_granularities": 1}, "'timestamp_granularities': it must be a list."),
    ],
    ids=lambda value: repr(value)[:48] if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_is_wrong_is_said(kind: type[BaseModel], body: object, message: str) -> None:
    assert message_of(kind, body) == message


CAN_LEAD_TO = {
    "any": (),
    "bool": ("bool_type", "bool_parsing"),
    "int": ("int_type", "int_parsing", "int_from_float", "int_parsing_size"),
    "float": ("float_type", "float_parsing", "finite_number"),
    "str": ("string_type", "string_unicode"),
    "list": ("list_type",),
    "tuple": ("tuple_type",),
    "dict": ("dict_type",),
    "model": ("model_type",),
    "literal": ("literal_error",),
}
"""The errors of each kind of value of the core's. https://docs.pydantic.dev/latest/errors/validation_errors/"""
OF_BOUNDS = {
    "ge": "greater_than_equal", "le": "less_than_equal", "gt": "greater_than", "lt": "less_than", "multiple_of": "multiple_of",
    "pattern": "string_pattern_mismatch", "extra_fields_behavior": "extra_forbidden",
}  # fmt: skip
CONTAINERS = ("nullable", "union", "default", "model-fields", "model-field", "function-after", "function-before")


def errors_of(schema: Schema) -> Iterator[str]:
    kind = schema["type"]
    yield from () if kind in CONTAINERS else CAN_LEAD_TO[kind]
    for name, value in {**schema, **schema.get("metadata", {})}.items():
        if name in ("min_length", "max_length"):
            yield f"{'string_' if kind == 'str' else ''}too_{'short' if name == 'min_length' else 'long'}"
        yield from [OF_BOUNDS[name]] if name in OF_BOUNDS else []
        inner = value.values() if name == "fields" else value if isinstance(value, list) else [value]
        for each in inner:
            if isinstance(each, dict) and each.get("type") in {*CAN_LEAD_TO, *CONTAINERS}:
                yield from errors_of(each)


def all_fields() -> list[type[BaseModel]]:
    modules = [import_module(f"haimaker.operations.{each.name}") for each in iter_modules(haimaker.operations.__path__)]
    found = [value for module in (account_fields, *modules) for value in vars(module).values()]
    return [each for each in found if isinstance(each, type) and issubclass(each, BaseModel) and each is not BaseModel]


def test_each_error_that_a_field_can_lead_to_has_words() -> None:
    can_be = {error for fields in all_fields() for error in errors_of(schema_of(fields))}
    assert len(can_be) > 15
    assert can_be - {*WORDS, "missing", "extra_forbidden"} == set()
    assert {*WORDS} - can_be == set(), "words that no field needs"
