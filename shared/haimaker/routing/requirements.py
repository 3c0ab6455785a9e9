"""What a request needs of a model, read from its body, in the words of the table of prices. Pure.

A request of any shape is accepted: what can't be read needs nothing.
"""

from collections.abc import Mapping

from haimaker.http.json import as_objects
from haimaker.http.values import JSON

CAPABILITY_OF: Mapping[str, str] = {
    "tools": "function_calling",
    "functions": "function_calling",
    "reasoning_effort": "reasoning",
    "web_search_options": "web_search",
}
"""By a parameter, the capability that it needs."""
PART_NEEDS: Mapping[str, str] = {
    "image_url": "vision",
    "input_image": "vision",
    "image": "vision",
    "input_audio": "audio_input",
    "file": "pdf_input",
    "input_file": "pdf_input",
    "document": "pdf_input",
}
"""By the type of a part of a message's content, the capability that it needs."""
SEARCH_TOOLS = ("web_search", "web_search_preview")
NO_EFFORT = (None, "none")


def required_capabilities(body: JSON) -> frozenset[str]:
    """The capabilities that a model needs for a request, in the words of the table's `supports`."""
    found = {
        PART_NEEDS[part["type"]]
        for message in as_objects(body.get("messages"))
        for part in as_objects(message.get("content"))
        if isinstance(part.get("type"), str) and part["type"] in PART_NEEDS
    }
    for tool in as_objects(body.get("tools")):
        found.add("web_search" if tool.get("type") in SEARCH_TOOLS else "function_calling")
    if body.get("functions"):
        found.add("function_calling")
    if body.get("web_search_options") is not None:
        found.add("web_search")
    response_format, thinking, modalities = (body.get(name) for name in ("response_format", "thinking", "modalities"))
    if isinstance(response_format, dict) and response_format.get("type") == "json_schema":
        found.add("response_schema")
    thinks = isinstance(thinking, dict) and thinking.get("type") == "enabled"
    if thinks or body.get("reasoning_effort") not in NO_EFFORT:
        found.add("reasoning")
    if isinstance(modalities, list) and "audio" in modalities:
        found.add("audio_output")
    return frozenset(found)
