"""Functions and the provider's own tools, and which of them the model may or must call.

https://ai.google.dev/api/caching#Tool, https://ai.google.dev/api/caching#ToolConfig
"""

import re
from collections.abc import Mapping
from typing import Any

from haimaker.adapters.gemini.schemas import to_schema
from haimaker.adapters.gemini.shapes import refuse, required_list, required_name, required_object
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from haimaker.models.traits import Traits

MODES: Mapping[str, str] = {"none": "NONE", "auto": "AUTO", "required": "ANY", "any": "ANY", "validated": "VALIDATED"}
OWN_TOOLS: Mapping[str, str] = {
    "web_search": "googleSearch",
    "web_search_preview": "googleSearch",
    "code_interpreter": "codeExecution",
}
"""Tools of OpenAI's that this provider has as well, run on its side."""
GOOGLE_TOOLS = frozenset(
    {"googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "googleMaps", "retrieval", "computerUse", "fileSearch"}
    | {"enterpriseWebSearch", "mcpServers"}
)
"""Tools that a client may write as Google does, in either case."""
WITH_FUNCTIONS = "includeServerSideToolInvocations"
"""Without it Gemini 3 refuses its own tools beside functions: https://ai.google.dev/gemini-api/docs/tool-combination"""


def to_tools(body: JSON, traits: Traits, drops: tuple[str, ...]) -> tuple[list[JSON], JSON]:
    """The tools and the tool configuration of a request, empty where it has none. `drops` are the row's."""
    functions: list[JSON] = []
    own: list[JSON] = []
    for index, tool in enumerate(body.get("tools") or ()):
        _add(tool, f"tools[{index}]", functions, own)
    if body.get("web_search_options") is not None and {"googleSearch": {}} not in own:
        own.append({"googleSearch": {}})
    functions, config = _choose(body, functions)
    if functions and own and traits.mixes_tools and WITH_FUNCTIONS not in drops:
        config = {**config, WITH_FUNCTIONS: True}
    # https://ai.google.dev/gemini-api/docs/function-calling: all functions in one tool, each of the others in its own.
    return ([{"functionDeclarations": functions}] if functions else []) + own, config


def to_camel_case(name: str) -> str:
    """Google's JSON has both spellings of every field; this one it writes itself."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _add(tool: JSON, param: str, functions: list[JSON], own: list[JSON]) -> None:
    kind = tool.get("type", "function" if "function" in tool else None)
    google = {to_camel_case(name): value for name, value in tool.items() if name != "type"}
    if kind == "function":
        functions.append(_declaration(tool.get("function"), f"{param}.function"))
    elif isinstance(kind, str) and kind in OWN_TOOLS:
        own.append({OWN_TOOLS[kind]: {}})
    elif isinstance(kind, str) and to_camel_case(kind) in GOOGLE_TOOLS:
        own.append({to_camel_case(kind): google.get(to_camel_case(kind), {})})
    elif kind is None and google and (set(google) <= GOOGLE_TOOLS or set(google) == {"functionDeclarations"}):
        declared = required_list(google.pop("functionDeclarations", []), f"{param}.functionDeclarations")
        functions += [required_object(function, f"{param}.functionDeclarations[{at}]") for at, function in enumerate(declared)]
        own += [{name: value} for name, value in google.items()]
    else:
        raise BadRequestError("The model does not support this kind of tool.", param=f"{param}.type", code="unsupported_parameter")


def _declaration(value: Any, param: str) -> JSON:
    function = required_object(value, param)
    made: JSON = {"name": required_name(function.get("name"), f"{param}.name")}
    if isinstance(function.get("description"), str) and function["description"]:
        made["description"] = function["description"]
    if function.get("parameters") is None:
        return made
    parameters = required_object(function["parameters"], f"{param}.parameters")
    if not parameters or (parameters.get("type") == "object" and not parameters.get("properties")):
        return made
    schema = to_schema(parameters)
    return {**made, **({"parameters": schema} if schema else {"parametersJsonSchema": parameters})}


def _choose(body: JSON, functions: list[JSON]) -> tuple[list[JSON], JSON]:
    """The functions that may be called and how that is said."""
    param = "tool_choice"
    choice = body.get(param)
    if choice is None or not functions:
        return functions, {}
    if isinstance(choice, str):
        return functions, _to_config(MODES.get(choice) or refuse(param, f"use one of {', '.join(MODES)}, or name a function"))
    found = required_object(choice, param)
    if found.get("type") == "allowed_tools":
        allowed = required_object(found.get("allowed_tools", found), f"{param}.allowed_tools")
        names = _names(allowed.get("tools"), f"{param}.allowed_tools.tools")
        if allowed.get("mode") == "required":
            return functions, _to_config("ANY", names)
        return [function for function in functions if function.get("name") in names], {}
    named = required_object(found.get("function", found), f"{param}.function")
    return functions, _to_config("ANY", [required_name(named.get("name"), f"{param}.function.name")])


def _names(value: Any, param: str) -> list[str]:
    names = []
    for index, tool in enumerate(required_list(value, param)):
        found = required_object(tool, f"{param}[{index}]")
        function = required_object(found.get("function", found), f"{param}[{index}].function")
        names.append(required_name(function.get("name"), f"{param}[{index}].function.name"))
    return names


def _to_config(mode: str, names: list[str] | None = None) -> JSON:
    return {"functionCallingConfig": {"mode": mode, **({"allowedFunctionNames": names} if names else {})}}
