"""What a request needs of a model, read from its body, in the words of the table of prices. Pure.

A request of any shape is accepted: what can't be read needs nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from haimaker.http.values import JSON

CAPABILITY_OF: Mapping[str, str] = {
    "tools": "function_calling",
    "functions": "function_calling",
    "reasoning_effort": "reasoning",
    "web_search_options": "web_search",
}
"""Parameters that ask for one."""
PART_NEEDS: Mapping[str, str] = {
    "image_url": "vision",
    "input_image": "vision",
    "image": "vision",
    "input_audio": "audio_input",
    "file": "pdf_input",
    "input_file": "pdf_input",
    "document": "pdf_input",
}
"""By the type of a part of a message's content."""
SEARCH_TOOLS = ("web_search", "web_search_preview")
NO_EFFORT = (None, "none")


def required_capabilities(body: JSON) -> frozenset[str]:
    return frozenset(_each_capability(body))


def _each_capability(body: JSON) -> Iterator[str]:
    for part in _parts(body.get("messages")):
        if isinstance(kind := part.get("type"), str) and kind in PART_NEEDS:
            yield PART_NEEDS[kind]
    for tool in _objects(body.get("tools")):
        yield "web_search" if tool.get("type") in SEARCH_TOOLS else "function_calling"
    if body.get("functions"):
        yield "function_calling"
    if body.get("web_search_options") is not None:
        yield "web_search"
    if _kind(body.get("response_format")) == "json_schema":
        yield "response_schema"
    if body.get("reasoning_effort") not in NO_EFFORT or _kind(body.get("thinking")) == "enabled":
        yield "reasoning"
    modalities = body.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities:
        yield "audio_output"


def _parts(messages: Any) -> Iterator[JSON]:
    for message in _objects(messages):
        yield from _objects(message.get("content"))


def _objects(value: Any) -> Iterator[JSON]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _kind(value: Any) -> object:
    return value.get("type") if isinstance(value, dict) else None
