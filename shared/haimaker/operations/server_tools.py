"""What the tools that a provider runs itself, and compaction, may add to the bill of a request: the most of each. Pure.

It reads the client's request, which has such tools as OpenAI, Anthropic or Google write them. What a provider does not say about
its limits is bounded by where its documentation says that it stops.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from haimaker.http.errors import invalid_parameter
from haimaker.http.json import as_object, as_objects
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.models.catalog import ModelInfo
from haimaker.pricing import costs, guardrails
from haimaker.pricing.usage import Usage
from haimaker.validation.bounds import MAX_NAME

DECLARATIONS = ("functionDeclarations", "function_declarations")
CLIENTS_FIELDS = frozenset({"type", "function", "name"})
CLIENTS_TOOLS = (
    *(None, "function", "custom", "namespace", "tool_search", "local_shell", "apply_patch"),
    *("computer", "computer_use_preview"),
)
"""The client runs them: https://platform.openai.com/docs/guides/tools"""
MAX_SEARCHES = 10
"""The most searches of the web in a request that allows them; providers name no limit."""
LARGEST_INPUT_TOKENS = 2_000_000
"""The prompt of a request with a file, for a model whose limit is not known."""
LONGEST_ANSWER_TOKENS = 128_000
"""The longest answer of a model whose limit is not known."""
RESEARCH_SEARCHES = 100
"""The most searches of a model that researches; its provider names no limit."""
MAX_OWN_TOOLS = 128
"""Of one request: as many tools of any kind as OpenAI takes. Each is reckoned with for each target and each number of calls.
https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools"""
MAX_TURNS = 10
"""How often Anthropic lets its own tools follow one another before it pauses:
https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools"""
SEARCHES_BY_SIZE: Mapping[str, int] = {"low": 1, "medium": 5, "high": 10}
"""As the adapters ask for them, by `search_context_size`."""
RUN_BY_CLIENT = re.compile(r"(?:bash|computer|memory|text_editor)_\d")
"""Tools that Anthropic describes and the client runs."""
LIMITED = re.compile(r"web_(?:search|fetch)_\d")
"""Tools whose uses Anthropic limits where `max_uses` says so, each for itself:
https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool#max-uses, …/web-fetch-tool"""
SEARCH = re.compile(r"(?:web|browser|google|enterprise_?web|^x)_?search", re.IGNORECASE)
FILES = re.compile(r"file_search")
CODE = re.compile(r"code_interpreter|shell")
DRAWS = re.compile(r"image_generation")
MAPS = re.compile(r"google_?maps", re.IGNORECASE)
CONTAINER = "container_gb"
FEES = {"web_searches": SEARCH, "maps_queries": MAPS, "file_searches": FILES, CONTAINER: CODE, "other_tool_uses": DRAWS}
"""What tools are billed by the piece, by the name of the count: the first whose pattern is in their names."""
FREE = re.compile(r"(?:mcp|web_fetch|tool_search|url_?context|code_?execution$|file_?search|computer_?use|shell)", re.IGNORECASE)
"""What costs no more than its tokens, as the beginnings of names: https://ai.google.dev/gemini-api/docs/pricing,
https://platform.claude.com/docs/en/about-claude/pricing#tool-use-pricing, https://platform.openai.com/docs/pricing#built-in-tools"""
ADVISOR = "advisor"
COMPACTION = "compact"


@dataclass(frozen=True, slots=True)
class ServerTools:
    """What a request allows a provider to do on its own account."""

    uses: int = 0
    """How many calls of its tools may follow one another; 0 where it has none."""
    fees: Mapping[str, int] = field(default_factory=dict)
    """The most that may be billed by the piece, by the name of the count."""
    advisors: Sequence[tuple[str, int]] = ()
    """Other models that may be asked, and how often."""
    compacts: bool = False
    """Whether the conversation may be summarised on the way, which is another pass over it."""
    fills_prompt: bool = False
    """Whether a tool brings into the prompt what only the model's limit bounds."""
    only_searches: bool = False
    """Whether the web is all that is searched, and nothing else is run."""


NONE = ServerTools()


class OwnTools(NamedTuple):
    """The tools of a request that its provider runs itself: read once, and reckoned with for each target."""

    kinds: Mapping["OwnTool", int]
    """How many there are of each kind."""
    searches: int | None
    """How often the web may be searched by `web_search_options`; None without them."""
    max_tool_calls: object
    compacts: bool

    @property
    def takes_max_uses(self) -> bool:
        """Whether all that may be used is one tool, and one whose uses Anthropic limits."""
        run = {tool: number for tool, number in self.kinds.items() if not tool.run_by_client}
        return sum(run.values()) + (self.searches is not None) == 1 and all(tool.is_limited for tool in run)

    @property
    def may_cost_uncounted(self) -> bool:
        """Whether one may cost what no answer counts, as Anthropic's code does, which is billed by the hour."""
        return any(not (tool.fee or tool.advisor or tool.run_by_client or tool.is_free) for tool in self.kinds)

    def within(self, most_calls: int | None = None) -> "ServerTools":
        """The most that they may do; `most_calls` is sent along for all tools together."""
        if not self.kinds and self.searches is None and not self.compacts:
            return NONE
        fees, uses = Counter[str](), 0
        if self.searches is not None:
            uses = fees["web_searches"] = min(self.searches, most_calls or MAX_SEARCHES)
        advisors: list[tuple[str, int]] = []
        for tool, number in self.kinds.items():
            most = _most_uses(tool.max_uses, self.max_tool_calls, most_calls)
            uses += 0 if tool.run_by_client else most * number
            if tool.fee:
                fees[tool.fee] += most * number * tool.units
            if tool.advisor:
                advisors += [(tool.advisor, most)] * number
        counted = {name: most for name, most in fees.items() if most}
        only_searches = all(tool.fee == "web_searches" for tool in self.kinds)
        return ServerTools(
            min(uses, most_calls or MAX_TURNS, MAX_TURNS),
            fees=counted,
            advisors=advisors,
            compacts=self.compacts,
            fills_prompt=bool(self.kinds),
            only_searches=only_searches,
        )


class OwnTool(NamedTuple):
    """What is reckoned with of one."""

    fee: str
    """The name of the count by which it is billed by the piece; empty where it is not."""
    units: int
    max_uses: int | None
    advisor: str
    """The model that may be asked."""
    run_by_client: bool
    is_limited: bool
    is_free: bool


def own_tools(body: JSON) -> OwnTools:
    """The tools of a request that the provider runs itself, in OpenAI's format with the additions of others. Raises BadRequestError
    for more than any provider takes."""
    found = [tool for entry in as_objects(body.get("tools")) for tool in _apart(entry) if _is_own(tool)]
    if len(found) > MAX_OWN_TOOLS:
        raise invalid_parameter("tools", f"it must have at most {MAX_OWN_TOOLS} tools that the provider runs itself")
    options = body.get("web_search_options")
    searches = _searches(options) if options is not None else MAX_SEARCHES if asks_to_search(body) else None
    return OwnTools(Counter(map(_own_tool, found)) if found else {}, searches, body.get("max_tool_calls"), _compacts(body))


def max_fees(model_info: ModelInfo, tools: ServerTools) -> dict[str, Any]:
    """The most fees that may be due: of tools that are asked for, and of models that search unasked.
    https://docs.perplexity.ai/getting-started/pricing"""
    if model_info.rate(costs.FEE_RATES["citations"]) is not None:
        return {"web_searches": RESEARCH_SEARCHES, "citations": model_info.max_input_tokens or LARGEST_INPUT_TOKENS}
    unasked = model_info.rate(costs.SEARCH_SIZES) is not None
    searches = max(unasked, tools.fees.get("web_searches", 0))
    opens = bool(searches) and model_info.rate(costs.FEE_RATES["opened_pages"]) is not None
    return {**tools.fees, "web_searches": searches, **({"opened_pages": MAX_SEARCHES} if opens else {})}


def max_guardrail_microusd(body: JSON, model_info: ModelInfo, prompt_bytes: int, images: int, answer_characters: int) -> int:
    """The most that a guardrail costs that judges a prompt and its answer; 0 without one, and where there is none."""
    if not guardrail_of(body) or model_info.rate(costs.FEE_RATES["guardrail_microusd"]) is None:
        return 0
    prompt = guardrails.max_microusd(prompt_bytes, 1 + len(body["messages"]), images)
    return prompt + guardrails.max_microusd(answer_characters)


def max_advice(advisor: ModelInfo, name: str, most: Usage) -> Usage:
    """One question to another model of the vendor's."""
    return Usage(
        input=advisor.max_input_tokens or LARGEST_INPUT_TOKENS,
        output=advisor.max_output_tokens or LONGEST_ANSWER_TOKENS,
        model=name,
        service_tier=most.service_tier,
        inference_geo=most.inference_geo,
    )


def asked_latency(body: JSON) -> str | None:
    """The tier of Bedrock that is asked for by its latency:
    https://docs.aws.amazon.com/bedrock/latest/userguide/latency-optimized-inference.html"""
    asked = body.get("performanceConfig") or body.get("performance_config")
    latency = asked.get("latency") if isinstance(asked, dict) else None
    return latency if latency == "optimized" else None


def asks_to_search(body: JSON) -> bool:
    """Whether it allows searches of the web by a field of its own: OpenAI's, and Alibaba's, of
    https://www.alibabacloud.com/help/en/model-studio/web-search"""
    return body.get("web_search_options") is not None or body.get("enable_search") is True


def guardrail_of(body: JSON) -> JSON:
    """The guardrail of Bedrock's that a request names, empty without one:
    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_GuardrailConfiguration.html"""
    return as_object(body.get("guardrailConfig") or body.get("guardrail_config"))


def _own_tool(tool: JSON) -> OwnTool:
    name, model, units = _name(tool), tool.get("model"), 1
    fee = next((fee for fee, pattern in FEES.items() if pattern.search(name) and (fee != CONTAINER or _has_container(tool))), "")
    if fee == CONTAINER:
        units = container_gb(tool)
    advisor = model if not fee and name.startswith(ADVISOR) and isinstance(model, str) else ""
    most = tool.get("max_uses")
    most = most if type(most) is int and most > 0 else None
    return OwnTool(fee, units, most, advisor, bool(RUN_BY_CLIENT.match(name)), bool(LIMITED.match(name)), bool(FREE.match(name)))


def _apart(entry: JSON) -> Iterator[JSON]:
    """Google's entries may hold several tools, each under its name; the client's functions are none of its own."""
    if not CLIENTS_FIELDS.isdisjoint(entry):
        yield entry
        return
    yield from ({name: value} for name, value in entry.items() if name not in DECLARATIONS)


def _is_own(tool: JSON) -> bool:
    return tool.get("type") not in CLIENTS_TOOLS or ("type" not in tool and "function" not in tool and len(tool) == 1)


def _name(tool: JSON) -> str:
    """Google's tools are named by their only field; Moonshot's by their functions, as the client's are:
    https://platform.kimi.ai/docs/guide/use-web-search"""
    kind = tool.get("type")
    if kind == "builtin_function":
        kind = as_object(tool.get("function")).get("name")
    return (kind if isinstance(kind, str) else str(next(iter(tool), "")))[:MAX_NAME]


def _has_container(tool: JSON) -> bool:
    """Whether it runs in one that OpenAI bills; one on the client's machine is free."""
    place = tool.get("environment")
    kind = place.get("type") if isinstance(place, dict) else place
    return "container" in tool or (isinstance(kind, str) and "container" in kind)


def container_gb(tool: JSON) -> int:
    """The memory of the container in which a tool of OpenAI's runs code, which a request says as `4g`."""
    held = tool.get("container") or tool.get("environment")
    said = held.get("memory_limit") if isinstance(held, dict) else None
    found = re.fullmatch(r"(\d{1,3})g", said) if isinstance(said, str) else None
    return int(found[1]) if found else 1


def _most_uses(*limits: object) -> int:
    said = [most for most in limits if type(most) is int and most > 0]
    return min((*said, MAX_SEARCHES)) if said else MAX_SEARCHES


def _searches(options: Any) -> int:
    size = options.get("search_context_size") or "medium" if isinstance(options, dict) else "medium"
    return SEARCHES_BY_SIZE.get(size, MAX_SEARCHES) if isinstance(size, str) else MAX_SEARCHES


def _compacts(body: JSON) -> bool:
    """https://platform.claude.com/docs/en/build-with-claude/compaction-threshold, and on demand with `compaction`"""
    managed = body.get("context_management")
    edits = as_objects(managed.get("edits")) if isinstance(managed, dict) else ()
    kinds = (edit.get("type") for edit in edits)
    return body.get("compaction") is not None or any(isinstance(kind, str) and kind.startswith(COMPACTION) for kind in kinds)
