"""A chat request as a Converse body: which parameters go where, and what the model's own fields get.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_RequestSyntax
"""

from collections.abc import Mapping
from typing import Any

from haimaker.adapters.bedrock.answer import is_trace_asked
from haimaker.adapters.bedrock.blocks import Blocks
from haimaker.adapters.bedrock.families import Family, family_of, may_have_capability
from haimaker.adapters.bedrock.messages import Conversation
from haimaker.adapters.bedrock.tools import Tools, to_tools
from haimaker.adapters.parameters import HINTS, Parameters, drop_out_of_range
from haimaker.adapters.repairs import repair_messages
from haimaker.http.errors import invalid_parameter
from haimaker.http.values import JSON
from haimaker.models.traits import ALWAYS, EFFORTS, NEVER, UNASKED, Traits
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.server_tools import guardrail_of

PARAMETERS = Parameters(
    taken=frozenset(
        {
            "max_completion_tokens",
            "max_tokens",
            "messages",
            "model",
            "parallel_tool_calls",
            "reasoning_effort",
            "response_format",
            "service_tier",
            "stop",
            "stream",
            "stream_options",
            "temperature",
            "tool_choice",
            "tools",
            "top_p",
        }
    ),
    harmless=frozenset(
        {
            "frequency_penalty",
            "metadata",
            "prediction",
            "presence_penalty",
            *HINTS,
            "safety_identifier",
            "seed",
            "store",
            "user",
            "verbosity",
        }
    ),
    neutral={
        "frequency_penalty": (0,),
        "logprobs": (False,),
        "modalities": (["text"],),
        "n": (1,),
        "presence_penalty": (0,),
        "store": (False,),
        "top_logprobs": (0,),
    },
)
CONVERSE = ("guardrailConfig", "performanceConfig", "promptVariables", "requestMetadata", "additionalModelResponseFieldPaths")
"""The vendor's own parameters, passed on as they are."""
GUARDRAIL = {
    "guardrail_config": "guardrailConfig",
    "performance_config": "performanceConfig",
    "request_metadata": "requestMetadata",
}
SERVICE_TIERS = ("default", "flex", "priority", "reserved")
"""https://docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html; `auto` leaves it to the account."""

THINKING_TOKENS = "/usage/output_tokens_details"
"""What Claude counts of its thinking, which is not in Converse's usage; a model that has no such field ignores it."""
MIN_BUDGET = 1024
MIN_TOP_P = 0.95
"""With thinking: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html"""


def to_body(request: ChatRequest, attempt: Attempt) -> tuple[JSON, list[str]]:
    """The body, and the names of what the model does not get."""
    given, out_of_range = drop_out_of_range(request.body, attempt.provider.dialect.ranges)
    family = family_of(attempt)
    # What Claude refuses depends on its thinking too: see `_without_conflicts`.
    parameters = (
        PARAMETERS if family.name in ("claude", "untold") else PARAMETERS.for_model(attempt.traits, given.get("reasoning_effort"))
    )
    fields, dropped = parameters.split(given)
    blocks = Blocks(caches=may_have_capability(attempt, "prompt_caching"))
    conversation = Conversation(family, blocks, attempt.traits.takes_system)
    for index, message in enumerate(repair_messages(fields["messages"], attempt)):
        conversation.add(message, f"messages[{index}]")
    turns = conversation.end(prefills=family.prefills or attempt.traits.prefills)
    tools = to_tools({**fields, "drop_params": request.body.get("drop_params")}, turns, family, attempt, blocks)
    inference = _inference(request, fields, attempt)
    own, lost = _own(fields, tools, turns, inference, family, attempt)
    body: JSON = {"messages": turns}
    for name, value in (
        ("system", conversation.system),
        ("inferenceConfig", inference),
        ("toolConfig", tools.config),
        ("outputConfig", tools.output),
        ("additionalModelRequestFields", own),
    ):
        if value:
            body[name] = value
    if isinstance(own.get("thinking"), dict) and own["thinking"].get("type") != "disabled":
        body["additionalModelResponseFieldPaths"] = [THINKING_TOKENS]
    body |= _converse(fields)
    lost += _service_tier(fields.get("service_tier"), body)
    return body, [*dict.fromkeys([*out_of_range, *dropped, *tools.dropped, *lost])]


def _inference(request: ChatRequest, fields: JSON, attempt: Attempt) -> JSON:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html"""
    limit = request.max_output_tokens or attempt.max_output_tokens
    stop = fields.get("stop")
    sequences = [text for text in ([stop] if isinstance(stop, str) else stop or ()) if text]
    found = {"maxTokens": limit, "temperature": fields.get("temperature"), "topP": fields.get("top_p"), "stopSequences": sequences}
    return {name: value for name, value in found.items() if value is not None and value != []}


def _own(
    fields: JSON, tools: Tools, turns: list[JSON], inference: JSON, family: Family, attempt: Attempt
) -> tuple[JSON, list[str]]:
    """Fields of the model's own, and the names of what it can't have along with the rest. Edits `inference` for that."""
    given = fields.get("additionalModelRequestFields")
    if given is not None and not isinstance(given, dict):
        raise invalid_parameter("additionalModelRequestFields", "it must be an object")
    ours = {*PARAMETERS.taken, *CONVERSE, *GUARDRAIL, "additionalModelRequestFields", "top_k"}
    own = {name: value for name, value in fields.items() if name not in ours}
    own |= _nest(family.top_k, fields["top_k"]) if fields.get("top_k") is not None else {}
    own |= tools.own
    lost: list[str] = []
    effort = fields.get("reasoning_effort")
    if effort is not None:
        if effort not in EFFORTS:
            raise invalid_parameter("reasoning_effort", f"it must be one of {', '.join(EFFORTS)}")
        reasoning = _reasoning(effort, inference, family, attempt)
        if reasoning is None:
            lost.append("reasoning_effort")
        own = {**(reasoning or {}), **own}
    own |= given or {}
    if family.name in ("claude", "untold"):
        lost += _as_it_thinks(own, attempt.traits)
        lost += _without_conflicts(
            own, tools, turns, inference, attempt, "thinking" if "thinking" in fields else "reasoning_effort"
        )
    elif family.name == "nova-2":
        lost += _nova(own, inference)
    return own, lost


def _reasoning(effort: str, inference: JSON, family: Family, attempt: Attempt) -> JSON | None:
    """The fields that ask for an effort of reasoning; None where the model takes none."""
    efforts = attempt.traits.efforts
    if family.effort_field and efforts != {}:
        return {family.effort_field: (efforts or {}).get(effort, effort)}
    value = (efforts or {}).get(effort)
    if family.name == "nova-2":
        if effort == "none":
            return {"reasoningConfig": {"type": "disabled"}}
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": value}}
    if family.name != "claude" or value is None:
        return None if effort != "none" else {}
    if effort == "none" and attempt.traits.thinks != ALWAYS:
        return {"thinking": dict(attempt.traits.thinking_off)} if attempt.traits.thinking_off else {}
    if isinstance(value, str):
        return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": value}}
    budget = min(value, inference.get("maxTokens", 10**9) - 1)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget >= MIN_BUDGET else None


def _as_it_thinks(own: JSON, traits: Traits) -> list[str]:
    """A budget of the client's own for a model that decides itself how long it thinks."""
    thinking = own.get("thinking")
    if (
        not isinstance(thinking, dict)
        or thinking.get("type") != "enabled"
        or traits.thinks_by_budget
        or traits.thinks in ("", NEVER)
    ):
        return []
    own["thinking"] = {"type": "adaptive", "display": thinking.get("display", "summarized")}
    return ["thinking.budget_tokens"]


def _without_conflicts(own: JSON, tools: Tools, turns: list[JSON], inference: JSON, attempt: Attempt, asked_by: str) -> list[str]:
    """Takes out what Claude refuses in company, and names it: a hint gives way to what an answer must have."""
    lost: list[str] = []
    thinking = own.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    thinks = kind in ("enabled", "adaptive")
    if thinks and (tools.forced or (kind == "enabled" and _lost_its_thoughts(turns))):
        own.pop("thinking")
        lost.append(asked_by)
        thinks = False
    traits = attempt.traits
    if tools.forced and "thinking" not in own and traits.thinks == UNASKED and traits.thinking_off:
        own["thinking"] = dict(traits.thinking_off)
    fixed = "temperature" in traits.drops
    if (thinks or fixed) and inference.get("temperature", 1) != 1:
        lost.append("temperature")
    if thinks or fixed:
        inference.pop("temperature", None)
    if "topP" in inference and (
        fixed or (thinks and inference["topP"] < MIN_TOP_P) or ("temperature" in inference and traits.samples_once)
    ):
        lost += ["top_p"] if inference.pop("topP") != 1 else []
    if (thinks or fixed) and own.pop("top_k", None) is not None:
        lost.append("top_k")
    return lost


def _lost_its_thoughts(turns: list[JSON]) -> bool:
    """Whether the last call of tools came back without the reasoning before it, which is then refused with thinking."""
    calling = [turn for turn in turns if any("toolUse" in block for block in turn["content"])]
    last = next((turn for turn in reversed(turns) if turn["role"] == "assistant"), None)
    return bool(calling) and calling[-1] is last and "reasoningContent" not in calling[-1]["content"][0]


def _nova(own: JSON, inference: JSON) -> list[str]:
    """Nova's highest effort refuses limits and sampling; a limit is money, so the effort gives way to it."""
    config = own.get("reasoningConfig")
    if not isinstance(config, dict) or config.get("maxReasoningEffort") != "high" or config.get("type") != "enabled":
        return []
    if "maxTokens" in inference:
        own["reasoningConfig"] = {**config, "maxReasoningEffort": "medium"}
        return ["reasoning_effort"]
    return [name for name, theirs in (("temperature", "temperature"), ("top_p", "topP")) if inference.pop(theirs, None) is not None]


def _converse(fields: JSON) -> JSON:
    """With a guardrail comes its trace, also where it is not asked for: nothing else says what it costs."""
    renamed = {GUARDRAIL.get(name, name): value for name, value in fields.items()}
    if guardrail_of(fields) and not is_trace_asked(fields):
        renamed["guardrailConfig"] = {**guardrail_of(fields), "trace": "enabled"}
    return {name: renamed[name] for name in CONVERSE if renamed.get(name) is not None}


def _service_tier(asked: str | None, body: JSON) -> list[str]:
    if asked in SERVICE_TIERS:
        body["serviceTier"] = {"type": asked}
        return []
    return ["service_tier"] if asked not in (None, "auto") else []


def _nest(path: tuple[str, ...], value: Any) -> Mapping[str, Any]:
    for name in reversed(path):
        value = {name: value}
    return dict(value)
