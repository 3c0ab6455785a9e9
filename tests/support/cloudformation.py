"""A template as CloudFormation reads it: which resources there are, and with which properties, by its parameters."""

from collections.abc import Mapping
from typing import Any

JSON = dict[str, Any]
NO_VALUE = {"Ref": "AWS::NoValue"}


def holds(template: JSON, condition: JSON, parameters: Mapping[str, str]) -> bool:
    """Evaluates a condition."""
    match condition:
        case {"Fn::Not": [inner]}:
            return not holds(template, inner, parameters)
        case {"Fn::Or": list(several)}:
            return any(holds(template, each, parameters) for each in several)
        case {"Fn::And": list(several)}:
            return all(holds(template, each, parameters) for each in several)
        case {"Fn::Equals": [one, other]}:
            return _plain(one, parameters) == _plain(other, parameters)
        case {"Condition": str(name)}:
            return holds(template, template["Conditions"][name], parameters)
    raise AssertionError(condition)


def _plain(value: Any, parameters: Mapping[str, str]) -> Any:
    match value:
        case {"Ref": str(name)}:
            return parameters[name]
        case {"Fn::Join": [str(separator), {"Ref": str(name)}]}:
            return separator.join(filter(None, parameters[name].split(",")))
    return value


def chosen(template: JSON, parameters: Mapping[str, str]) -> JSON:
    """The template without its conditions."""
    on = {name: holds(template, condition, parameters) for name, condition in template["Conditions"].items()}

    def choose(node: Any) -> Any:
        if isinstance(node, list):
            return [found for each in node if (found := choose(each)) != NO_VALUE]
        if not isinstance(node, dict):
            return node
        if "Fn::If" in node:
            condition, there, otherwise = node["Fn::If"]
            return choose(there if on[condition] else otherwise)
        return {name: found for name, inner in node.items() if (found := choose(inner)) != NO_VALUE}

    def those_of(part: str) -> JSON:
        there = {name: one for name, one in template[part].items() if on.get(one.get("Condition"), True)}
        return {name: choose({key: inner for key, inner in one.items() if key != "Condition"}) for name, one in there.items()}

    return {"Parameters": template["Parameters"], "Resources": those_of("Resources"), "Outputs": those_of("Outputs")}
