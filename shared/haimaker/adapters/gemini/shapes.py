"""Reads fields of whatever shape: a client's wrong ones are refused by name, a provider's are as good as absent."""

from typing import Any, NoReturn

from haimaker.http.errors import invalid_parameter
from haimaker.http.values import JSON


def refuse(param: str, why: str) -> NoReturn:
    raise invalid_parameter(param, why)


def required_object(value: Any, param: str) -> JSON:
    return value if isinstance(value, dict) else refuse(param, "it must be an object")


def required_list(value: Any, param: str) -> list[Any]:
    return value if isinstance(value, list) else refuse(param, "it must be a list")


def required_text(value: Any, param: str) -> str:
    return value if isinstance(value, str) else refuse(param, "it must be a string")


def required_name(value: Any, param: str) -> str:
    return value if isinstance(value, str) and value else refuse(param, "it must be a string that is not empty")
