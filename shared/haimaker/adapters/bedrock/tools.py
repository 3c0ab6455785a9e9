"""Tools, the choice among them, and answers in JSON, which older models give through a tool of ours.

https://docs.aws.amazon.com/bedrock/latest/userguide/tool-use.html
"""

from collections.abc import Iterator
from typing import Any

from haimaker.adapters.bedrock import schemas, tool_ids
from haimaker.adapters.bedrock.blocks import Blocks
from haimaker.adapters.bedrock.families import Family, has_capability, is_in_catalog, may_have_capability
from haimaker.adapters.parameters import unforceable_tools_error
from haimaker.http.errors import BadRequestError, invalid_parameter
from haimaker.http.sse import dumps
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.attempt import Attempt

JSON_TOOL = "haimaker_json_answer"
"""A tool whose input is the answer. Its name tells, as nothing else connects an answer to its request."""
JSON_TOOL_DESCRIPTION = (
    "Gives the answer to the user. Always call this, with the whole answer as its input, instead of writing text."
)
ANY_OBJECT = {"type": "object", "additionalProperties": True}
NATIVE = ("native_structured_output", "bedrock_native_structured_output")


@dataclass(slots=True)
class Tools:
    """What becomes of the tools of a request."""

    config: JSON = field(default_factory=dict)
    """Converse's toolConfig, empty without tools."""
    output: JSON = field(default_factory=dict)
    """Converse's outputConfig."""
    own: JSON = field(default_factory=dict)
    """Fields of the model's own."""
    dropped: list[str] = field(default_factory=list)

    @property
    def forced(self) -> bool:
        choice = self.config.get("toolChoice") or {}
        return "any" in choice or "tool" in choice or self.own.get("tool_choice", {}).get("type") in ("any", "tool")


def to_tools(body: JSON, turns: list[JSON], family: Family, attempt: Attempt, blocks: Blocks) -> Tools:
    made = Tools()
    specs = list(_specs(body, family, attempt, blocks))
    choice, named = _choice(body, specs)
    if named is not None and not family.forces_named:
        specs = [spec for spec in specs if _spec_name(spec) == named]
    answer = _answer_tool(body, family, attempt, made)
    # Tools of the past must be shown; most models can't be shown any without calling them.
    takes_none = family.name == "claude" and attempt.traits.chooses_none
    if choice == "none" and (answer or not _used(turns) or not takes_none):
        specs = []
    if answer is not None:
        specs.append({"toolSpec": answer})
        choice, named = ("any", None) if len(specs) > 1 else ("tool", JSON_TOOL)
    if not specs and _used(turns):
        # Converse refuses turns with tools in them where the request has none.
        specs = [_spec(name, None, {}, family) for name in _used(turns)]
        made.dropped += ["tool_choice"] if choice == "none" and body.get("tools") else []
        choice = "auto"
    if specs:
        made.config = {"tools": specs}
        _choose(made, choice, named, body, family, attempt)
    return made


def _specs(body: JSON, family: Family, attempt: Attempt, blocks: Blocks) -> Iterator[JSON]:
    seen: set[str] = set()
    for index, tool in enumerate(body.get("tools") or ()):
        if any(isinstance(tool.get(kind), dict) for kind in ("toolSpec", "systemTool", "cachePoint")):
            yield tool
            continue
        function, param = tool.get("function"), f"tools[{index}]"
        if tool.get("type", "function") != "function":
            raise BadRequestError(
                f"The model does not support the tool '{tool['type']}'.", param=f"{param}.type", code="unsupported_parameter"
            )
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            raise invalid_parameter(f"{param}.function.name", "it must be a string")
        name = tool_ids.to_name(function["name"])
        if len(name) > tool_ids.MAX_NAME_LETTERS:
            raise invalid_parameter(f"{param}.function.name", f"it must have at most {tool_ids.MAX_NAME_LETTERS} letters")
        if name not in seen:
            seen.add(name)
            strict = {"strict": True} if function.get("strict") is True and has_capability(attempt, *NATIVE) else {}
            yield _spec(name, function.get("description"), function.get("parameters"), family, **strict)
            yield from blocks.cache_point(tool) or blocks.cache_point(function)


def _spec(name: str, description: Any, parameters: Any, family: Family, **more: Any) -> JSON:
    described = {"description": description} if isinstance(description, str) and description.strip() else {}
    schema = schemas.for_tool(parameters, family)
    if more.get("strict"):
        schema = schemas.enforceable(schema)
    return {"toolSpec": {"name": name, **described, "inputSchema": {"json": schema}, **more}}


def _choice(body: JSON, specs: list[JSON]) -> tuple[str, str | None]:
    """`auto`, `any`, `none`, or `tool` with its name; allowed tools leave the others out."""
    choice = body.get("tool_choice")
    if choice in (None, "auto", "none"):
        return choice or "auto", None
    if choice in ("required", "any"):
        return "any", None
    if isinstance(choice, dict):
        allowed = choice.get("allowed_tools")
        if choice.get("type") == "allowed_tools" and isinstance(allowed, dict):
            listed = allowed.get("tools")
            names = {_name(tool) for tool in (listed if isinstance(listed, list) else ()) if isinstance(tool, dict)}
            specs[:] = [spec for spec in specs if _spec_name(spec) in names]
            return "any" if allowed.get("mode") == "required" else "auto", None
        name = _name(choice)
        if name and any(_spec_name(spec) == name for spec in specs):
            return "tool", name
    raise invalid_parameter("tool_choice", "it must be none, auto, required, or name one of the tools")


def _spec_name(tool: JSON) -> Any:
    spec = tool.get("toolSpec")
    return spec.get("name") if isinstance(spec, dict) else None


def _name(choice: JSON) -> str:
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else choice.get("name")
    return tool_ids.to_name(name) if isinstance(name, str) else ""


def _used(turns: list[JSON]) -> list[str]:
    """Names of the tools that were called so far, in order."""
    blocks = [block for turn in turns for block in turn["content"]]
    names = dict.fromkeys(block["toolUse"]["name"] for block in blocks if "toolUse" in block)
    return list(names) or (["unknown_tool"] if any("toolResult" in block for block in blocks) else [])


def _answer_tool(body: JSON, family: Family, attempt: Attempt, made: Tools) -> JSON | None:
    """The tool for an answer in JSON, unless the model has that natively, or none was asked for."""
    wanted = body.get("response_format") or {}
    kind = wanted.get("type")
    if kind in (None, "text"):
        return None
    if kind not in ("json_object", "json_schema"):
        raise invalid_parameter("response_format.type", "it must be text, json_object or json_schema")
    given = wanted.get("json_schema") if kind == "json_schema" else {}
    if not isinstance(given, dict):
        raise invalid_parameter("response_format.json_schema", "it must be an object")
    schema = given.get("schema")
    native = has_capability(attempt, *NATIVE) or (attempt.traits.schema and not attempt.traits.forces_tools)
    if isinstance(schema, dict) and schema and native:
        made.output = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": _definition(given)}}}
        return None
    own = given.get("description")
    description = f"{JSON_TOOL_DESCRIPTION} {own}" if isinstance(own, str) and own.strip() else JSON_TOOL_DESCRIPTION
    return {
        "name": JSON_TOOL,
        "description": description,
        "inputSchema": {"json": schemas.for_tool(schema, family) if schema else dict(ANY_OBJECT)},
    }


def _definition(given: JSON) -> JSON:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_JsonSchemaDefinition.html"""
    texts = {name: given[name] for name in ("name", "description") if isinstance(given.get(name), str) and given[name].strip()}
    return {"schema": dumps(schemas.enforceable(given["schema"])).decode(), **texts}


def _choose(made: Tools, choice: str, named: str | None, body: JSON, family: Family, attempt: Attempt) -> None:
    """Puts the choice where the model takes it. Raises BadRequestError where it can't be had."""
    if choice == "tool" and not family.forces_named:
        choice = "any"  # exact, as the tool is then the only one
    forces_any = family.forces_any and (may_have_capability(attempt, "tool_choice") or family.name == "claude")
    if choice in ("any", "tool") and not (forces_any and attempt.traits.forces_tools):
        if _spec_name(made.config["tools"][-1]) != JSON_TOOL and not body.get("drop_params"):
            raise unforceable_tools_error()
        made.dropped += ["tool_choice"] if body.get("tool_choice") else []
        choice = "auto"
    single = body.get("parallel_tool_calls") is False
    if family.name == "claude" and (
        choice == "none" or (single and (has_capability(attempt, "parallel_tool_use_config") or not is_in_catalog(attempt)))
    ):
        # https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html
        name = {"name": named} if choice == "tool" else {}
        made.own["tool_choice"] = {"type": choice, **name, **({"disable_parallel_tool_use": True} if choice != "none" else {})}
        return
    made.dropped += ["parallel_tool_calls"] if single else []
    if choice != "auto" or body.get("tool_choice") == "auto":
        made.config["toolChoice"] = {choice: {"name": named} if choice == "tool" else {}}
