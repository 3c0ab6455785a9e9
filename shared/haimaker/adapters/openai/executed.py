"""Searches that a provider ran while it answered, told in its messages and not in its usage. Pure.

https://console.groq.com/docs/browser-search: each is billed. A page that was opened is taken for a search, which costs more.
"""

import re
from collections.abc import Iterator
from typing import Any

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

FIELD = "executed_tools"
SEARCH = re.compile(r"search|browser|visit")


@dataclass(slots=True)
class Searches:
    """Those of one answer; a stream may tell one several times."""

    seen: set[tuple[int, Any]] = field(default_factory=set)

    def add_count(self, body: JSON, holder: str) -> JSON:
        """The body, with their number in its usage if there are any; the same object where there are none."""
        for place, choice in enumerate(_objects(body.get("choices"))):
            message = choice.get(holder)
            for at, tool in enumerate(_objects(message.get(FIELD) if isinstance(message, dict) else None)):
                if SEARCH.search(f"{tool.get('type')} {tool.get('name')}"):
                    self.seen.add((place, tool["index"] if type(tool.get("index")) is int else at))
        used = body.get("usage")
        if not self.seen or not isinstance(used, dict) or not used:
            return body
        uses = used.get("server_tool_use")
        told = {**(uses if isinstance(uses, dict) else {}), "web_search_requests": len(self.seen)}
        return {**body, "usage": {**used, "server_tool_use": told}}


def _objects(value: Any) -> Iterator[JSON]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()
