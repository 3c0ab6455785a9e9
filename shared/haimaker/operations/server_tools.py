"""What the tools that a provider runs itself, and compaction, may add to the bill of a request: the most of each. Pure.

It reads the client's request, which has such tools as OpenAI, Anthropic or Google write them. What a provider does not say about
its limits is bounded by where its documentation says that it stops.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from haimaker.http.json import as_objects
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

DECLARATIONS = ("functionDeclarations", "function_declarations")
CLIENTS_FIELDS = frozenset({"type", "function", "name"})
CLIENTS_TOOLS = (
    *(None, "function", "custom", "namespace", "tool_search", "local_shell", "apply_patch"),
    *("computer", "computer_use_preview"),
)
"""The client runs them: https://platform.openai.com/docs/guides/tools"""
MAX_SEARCHES = 10
"""Of the web, in a request that allows them; providers name no limit."""
MAX_TURNS = 10
"""How often Anthropic lets its own tools follow one another before it pauses:
https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools"""
SEARCHES_BY_SIZE: Mapping[str, int] = {"low": 1, "medium": 5, "high": 10}
"""As the adapters ask for them, by `search_context_size`."""
RUN_BY_CLIENT = re.compile(r"(?:bash|computer|memory|text_editor)_\d")
"""Tools that Anthropic describes and the client runs."""
SEARCH = re.compile(r"(?:web|browser|google|enterprise_?web|^x)_?search", re.IGNORECASE)
FILES = re.compile(r"file_search")
CODE = re.compile(r"code_interpreter|shell")
DRAWS = re.compile(r"image_generation")
MAPS = re.compile(r"google_?maps", re.IGNORECASE)
ADVISOR = "advisor"
COMPACTION = "compact"


@dataclass(frozen=True, slots=True)
class ServerTools:
    """What a request allows a provider to do on its own account."""

    uses: int = 0
    """How many calls of its tools may follow one another; 0 where it has none."""
    fees: Mapping[str, int] = field(default_factory=dict)
    """By the name of the count: the most that may be billed by the piece."""
    advisors: Sequence[tuple[str, int]] = ()
    """Other models that may be asked, and how often."""
    compacts: bool = False
    """Whether the conversation may be summarised on the way, which is another pass over it."""
    fills_prompt: bool = False
    """Whether a tool brings into the prompt what only the model's limit bounds."""
    only_searches: bool = False
    """Whether the web is all that is searched, and nothing else is run."""


NONE = ServerTools()


def server_tools(body: JSON, most_calls: int | None = None) -> ServerTools:
    """Of a client's request, in OpenAI's format with the additions of others; `most_calls` is sent along for all tools together."""
    own = [tool for entry in as_objects(body.get("tools")) for tool in _apart(entry) if _is_own(tool)]
    if not own and body.get("web_search_options") is None and not _compacts(body):
        return NONE
    uses = 0
    fees = {"web_searches": 0, "maps_queries": 0, "file_searches": 0, "container_gb": 0, "other_tool_uses": 0}
    if body.get("web_search_options") is not None:
        uses = fees["web_searches"] = min(_searches(body["web_search_options"]), most_calls or MAX_SEARCHES)
    advisors: list[tuple[str, int]] = []
    only_searches = all(SEARCH.search(_name(tool)) for tool in own)
    for tool in own:
        name, most = _name(tool), _most_uses(tool, body.get("max_tool_calls"), most_calls)
        uses += 0 if RUN_BY_CLIENT.match(name) else most
        if SEARCH.search(name):
            fees["web_searches"] += most
        elif MAPS.search(name):
            fees["maps_queries"] += most
        elif FILES.search(name):
            fees["file_searches"] += most
        elif CODE.search(name) and "container" in str(tool):
            fees["container_gb"] += most * container_gb(tool)
        elif DRAWS.search(name):
            fees["other_tool_uses"] += most
        elif name.startswith(ADVISOR) and isinstance(tool.get("model"), str):
            advisors.append((tool["model"], most))
    counted = {name: most for name, most in fees.items() if most}
    return ServerTools(min(uses, most_calls or MAX_TURNS, MAX_TURNS), counted, advisors, _compacts(body), bool(own), only_searches)


def _apart(entry: JSON) -> Iterator[JSON]:
    """Google's entries may hold several tools, each under its name; the client's functions are none of its own."""
    if not CLIENTS_FIELDS.isdisjoint(entry):
        yield entry
        return
    yield from ({name: value} for name, value in entry.items() if name not in DECLARATIONS)


def _is_own(tool: JSON) -> bool:
    return tool.get("type") not in CLIENTS_TOOLS or ("type" not in tool and "function" not in tool and len(tool) == 1)


def _name(tool: JSON) -> str:
    """Google's tools are named by their only field."""
    kind = tool.get("type")
    return kind if isinstance(kind, str) else str(next(iter(tool), ""))


def container_gb(tool: JSON) -> int:
    """Of memory, as `4g`, of the container in which a tool of OpenAI's runs code."""
    held = tool.get("container") or tool.get("environment")
    found = re.fullmatch(r"(\d{1,3})g", str(held.get("memory_limit"))) if isinstance(held, dict) else None
    return int(found[1]) if found else 1


def _most_uses(tool: JSON, *of_all: Any) -> int:
    said = [most for most in (tool.get("max_uses"), *of_all) if type(most) is int and most > 0]
    return min((*said, MAX_SEARCHES)) if said else MAX_SEARCHES


def _searches(options: Any) -> int:
    size = options.get("search_context_size") or "medium" if isinstance(options, dict) else "medium"
    return SEARCHES_BY_SIZE.get(size, MAX_SEARCHES) if isinstance(size, str) else MAX_SEARCHES


def _compacts(body: JSON) -> bool:
    """https://platform.claude.com/docs/en/build-with-claude/compaction-threshold, and on demand with `compaction`"""
    managed = body.get("context_management")
    edits = as_objects(managed.get("edits")) if isinstance(managed, dict) else ()
    return body.get("compaction") is not None or any(str(edit.get("type")).startswith(COMPACTION) for edit in edits)
