"""Ids of what is kept in the account at a provider. All keys share that account: a client may name what it was told here, and what
the deployer allows (`allowed_ids`); of all else there is none. Pure.

    Responses  tools, files in parts            https://platform.openai.com/docs/api-reference/responses/create
    Messages   sources, uploads, skills         https://platform.claude.com/docs/en/build-with-claude/skills-guide
    chat       what it has of these, and of Google's, which providers take beside OpenAI's own fields
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

from haimaker.http.errors import NotFoundError
from haimaker.http.json import as_list, as_object, as_objects
from haimaker.http.values import JSON
from haimaker.validation.links import FIELDS, PARTS

BETWEEN = "."
"""In the id of a container that a client is told, between the provider's and that of the request, whose record says whose it is."""
OWN_FILES = ("generativelanguage.googleapis.com/", "aiplatform.googleapis.com/")
"""Where files of the deployer's account at Google are."""
GOOGLES_STORES = "filesearchstorenames"
"""The field, in small letters, with what is searched: https://ai.google.dev/gemini-api/docs/file-search"""
VENDORS_SKILL = re.compile(r"openai-")
"""https://platform.openai.com/docs/guides/tools-skills: skills of OpenAI's own, which every account has."""
LINKS = frozenset({*PARTS, *FIELDS, "file_id"})
"""Fields of a part, or of an object in it, that lead to what is to be read."""


def show_container(told: Any, request_id: str) -> Any:
    """A container as the client is told of it by the answer to a request."""
    if not isinstance(told, dict) or not isinstance(told.get("id"), str):
        return told
    return {**told, "id": f"{told['id']}{BETWEEN}{request_id}"}


def refuse_in_chat(body: JSON, allowed: Collection[str]) -> None:
    """Raises NotFoundError where a chat names what this client was not told."""
    for holder in (body, *_googles(body)):
        for name in ("cachedContent", "cached_content"):
            if holder.get(name):
                raise _not_found(name, code="cached_content_not_found")
    refuse_skills(body.get("container"), allowed)
    for index, tool in enumerate(as_list(body.get("tools"))):
        if isinstance(tool, dict) and tool.get("type") != "function":
            _refuse_chat_tool(tool, f"tools[{index}]", allowed)
    refuse_blocks(body.get("system"), "system", allowed)
    for index, message in enumerate(as_objects(body.get("messages"))):
        param = f"messages[{index}].content"
        refuse_blocks(message.get("content"), param, allowed)
        for at, part in enumerate(as_list(message.get("content"))):
            if isinstance(part, dict):
                _refuse_part(part, f"{param}[{at}]", allowed)


def _googles(body: JSON) -> Iterator[JSON]:
    """Where Google's own fields may stand besides: https://ai.google.dev/gemini-api/docs/openai#extra-body"""
    yield as_object(as_object(body.get("extra_body")).get("google"))
    yield from (as_object(body.get(name)) for name in ("google", "generationConfig", "generation_config"))


def _refuse_chat_tool(tool: JSON, param: str, allowed: Collection[str]) -> None:
    refuse_tool(tool, param, allowed)
    for name, held in tool.items():
        if name == "function" or not isinstance(held, dict):
            continue
        refuse_tool(held, f"{param}.{name}", allowed)
        if name == "retrieval" or any(field.replace("_", "").lower() == GOOGLES_STORES for field in held):
            raise _not_found(f"{param}.{name}", code="store_not_found")


def _refuse_part(part: JSON, param: str, allowed: Collection[str]) -> None:
    """Of a part of OpenAI's, where an id may stand for a link, and the other way round."""
    for name, value in part.items():
        for field, told in value.items() if isinstance(value, dict) else ((name, value),):
            if field not in LINKS or not isinstance(told, str):
                continue
            is_id = field == "file_id" and "://" not in told[:8]
            if is_googles_file(told) or (is_id and told not in allowed):
                raise _not_found(f"{param}.{name}" if field == name else f"{param}.{name}.{field}", code="file_not_found")


def is_googles_file(link: str) -> bool:
    """Whether it is one of the deployer's account at Google."""
    start = link[:300].lower()
    return start.startswith("files/") or any(place in start for place in OWN_FILES)


def refuse_tool(tool: JSON, param: str, allowed: Collection[str]) -> None:
    """Raises NotFoundError where a tool of OpenAI's names what this client was not told."""
    held, environment = tool.get("container"), as_object(tool.get("environment"))
    skills = [skill for holder in (as_object(held), environment) for skill in as_objects(holder.get("skills"))]
    named = {
        "vector_store_ids": tool.get("vector_store_ids"),
        "collection_ids": tool.get("collection_ids"),
        "container": held if isinstance(held, str) else None,
        "container.file_ids": as_object(held).get("file_ids"),
        "environment.container_id": environment.get("container_id"),
        "environment.file_ids": environment.get("file_ids"),
        "skills.skill_id": [skill.get("skill_id") for skill in skills if not VENDORS_SKILL.match(str(skill.get("skill_id")))],
        "input_image_mask.file_id": as_object(tool.get("input_image_mask")).get("file_id"),
    }
    for name, ids in named.items():
        if any(each not in allowed for each in (ids if isinstance(ids, list) else [ids]) if each):
            raise _not_found(f"{param}.{name}", code="not_found")


def refuse_skills(container: Any, allowed: Collection[str]) -> None:
    """Raises NotFoundError where a container is to have a skill that is not Anthropic's own."""
    for index, skill in enumerate(as_list(as_object(container).get("skills"))):
        if as_object(skill).get("type") != "anthropic" and as_object(skill).get("skill_id") not in allowed:
            raise _not_found(f"container.skills[{index}].skill_id", code="skill_not_found")


def refuse_blocks(content: Any, param: str, allowed: Collection[str]) -> None:
    """Raises NotFoundError where a block of Anthropic's, at any depth, names a file that this client was not told."""
    for index, block in enumerate(as_list(content)):
        if not isinstance(block, dict):
            continue
        where, source = f"{param}[{index}]", as_object(block.get("source"))
        if block.get("type") == "container_upload" and block.get("file_id") is not None and block["file_id"] not in allowed:
            raise _not_found(f"{where}.file_id", code="file_not_found")
        if source.get("type") == "file" and source.get("file_id") not in allowed:
            raise _not_found(f"{where}.source.file_id", code="file_not_found")
        refuse_blocks(source.get("content"), f"{where}.source.content", allowed)
        inner = block.get("content")
        refuse_blocks([inner] if isinstance(inner, dict) else inner, f"{where}.content", allowed)


def _not_found(param: str, code: str) -> NotFoundError:
    return NotFoundError(f"{param}: it was not found.", param=param, code=code)
