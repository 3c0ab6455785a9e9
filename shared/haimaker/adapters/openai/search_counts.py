"""Counts the searches that a provider ran while it answered, and the pages it opened, where its usage leaves them out. Pure.

https://console.groq.com/docs/browser-search, https://groq.com/pricing: each is billed, a page less than a search.
https://docs.z.ai/guides/tools/web-search: what was found is beside the choices, for one price whatever was asked.
https://platform.kimi.ai/docs/guide/use-web-search: a call of `$web_search` is billed when the model makes it.
"""

import re
from collections import Counter
from typing import Any

from haimaker.http.json import as_object, as_objects
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

FIELD = "executed_tools"
OPENED = re.compile(r"\b(?:open|find)\b|visit")
"""Of a page: `browser.open`, `browser.find` in it, `visit_website`."""
SEARCH = re.compile(r"search|browser")
BUILT_IN = "$web_search"
SEARCHES = "web_search_requests"


@dataclass(slots=True)
class SearchCounter:
    """Counts those of one answer; a chunk may repeat one that came before."""

    seen: dict[tuple[int, Any], str] = field(default_factory=dict)
    """By choice and position, the usage field that counts each."""

    def add_count(self, body: JSON, holder: str) -> JSON:
        """The body with `server_tool_use` in its usage; the same object where nothing was searched."""
        for place, choice in enumerate(as_objects(body.get("choices"))):
            message = choice.get(holder)
            if not isinstance(message, dict):
                continue
            for at, tool in enumerate(as_objects(message.get(FIELD))):
                if name := _count_of(tool):
                    self.seen[place, tool["index"] if type(tool.get("index")) is int else at] = name
            for at, call in enumerate(as_objects(message.get("tool_calls"))):  # of a stream, only the first piece has the name
                if as_object(call.get("function")).get("name") == BUILT_IN:
                    self.seen[place, f"call {call.get('index', at)}"] = SEARCHES
        if body.get("web_search"):
            self.seen[0, "found"] = SEARCHES
        used = body.get("usage")
        if not self.seen or not isinstance(used, dict) or not used:
            return body
        uses = used.get("server_tool_use")
        counts = {**(uses if isinstance(uses, dict) else {}), **Counter(self.seen.values())}
        return {**body, "usage": {**used, "server_tool_use": counts}}


def _count_of(tool: JSON) -> str | None:
    """The usage field that counts a use of a tool, by its name first, as a type may stand for all that a tool can do."""
    for label in (tool.get("name"), tool.get("type")):
        if isinstance(label, str) and OPENED.search(label):
            return "page_visit_requests"
        if isinstance(label, str) and SEARCH.search(label):
            return SEARCHES
    return None
