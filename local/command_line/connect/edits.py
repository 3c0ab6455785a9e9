"""A tool's configuration with our part in it, and without it again. Pure: texts in, texts out.

Lines of ours stand between two marks, and lines that they replace become comments, so that both can be taken back whatever else was
changed meanwhile. JSON has no comments: there what was before is looked up in the copy that was made.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from .tools import Endpoint, File

BEGIN, END = "# haimaker: begin", "# haimaker: end"
BEFORE = "# haimaker: before: "
OWN = "haimaker"
"""An entry of this name is ours altogether."""
SEPARATOR = {"toml": " = ", "yaml": ": ", "env": "=", "list": ":"}


class NotPlain(Exception):
    """The file is not what the tool's documentation says, so that nothing of it is changed."""


def add_settings(file: File, text: str, endpoint: Endpoint) -> str:
    """Raises NotPlain."""
    if file.kind == "json":
        return _dump(_merge(_tree(text), file.values(endpoint)))
    clean = remove_settings(file, text, "")
    made = _list(file, clean, endpoint) if file.kind == "list" else _settings(file, clean, endpoint)
    if file.kind == "toml":
        try:
            tomllib.loads(made)
        except tomllib.TOMLDecodeError as error:
            raise NotPlain(f"it would be no TOML any more: {error}") from None
    return made


def remove_settings(file: File, text: str, before: str) -> str:
    """`before` is the copy that was made; it is empty if there was no file. Raises NotPlain."""
    if file.kind == "json":
        return _dump(_restore(_tree(text), _tree(before), file.values(Endpoint("", "", ""))))
    kept: list[str] = []
    ours = False
    for line in text.splitlines():
        if line.strip() in (BEGIN, END):
            ours = line.strip() == BEGIN
        elif not ours:
            kept.append(line.removeprefix(BEFORE))
    return "".join(f"{line}\n" for line in kept)


def _settings(file: File, text: str, endpoint: Endpoint) -> str:
    """Values at the top, which in TOML have to stand before any table; tables at the end."""
    values = file.values(endpoint)
    set_already = re.compile(rf"\s*(?:export\s+)?(?:{'|'.join(map(re.escape, values))})\s*{SEPARATOR[file.kind].strip()}")
    lines = text.splitlines()
    top = next((number for number, line in enumerate(lines) if file.kind == "toml" and line.lstrip().startswith("[")), len(lines))
    kept = [BEFORE + line if number < top and set_already.match(line) else line for number, line in enumerate(lines)]
    quoted = (f"{name}{SEPARATOR[file.kind]}{value if file.kind == 'env' else json.dumps(value)}" for name, value in values.items())
    made = [BEGIN, *quoted, END, *kept]
    if rest := file.lines(endpoint):
        made += [BEGIN, *rest, END]
    return "".join(f"{line}\n" for line in made)


def _list(file: File, text: str, endpoint: Endpoint) -> str:
    """An entry of a list, at its beginning, indented as its others are."""
    [name] = file.values(endpoint)
    lines, entry = text.splitlines(), list(file.lines(endpoint))
    place = next((number for number, line in enumerate(lines) if re.match(rf"{name}\s*:", line)), None)
    if place is None:
        return "".join(f"{line}\n" for line in (*lines, BEGIN, f"{name}:", *entry, END))
    if not re.fullmatch(rf"{name}\s*:\s*(#.*)?", lines[place]):
        raise NotPlain(f"its '{name}' is not a list with an entry a line")
    following = next((line for line in lines[place + 1 :] if line.strip() and not line.lstrip().startswith("#")), "")
    indent = len(following) - len(following.lstrip()) if following.lstrip().startswith("-") else 2
    made = [" " * indent + line[2:] for line in entry]
    return "".join(f"{line}\n" for line in (*lines[: place + 1], BEGIN, *made, END, *lines[place + 1 :]))


def _tree(text: str) -> dict[str, Any]:
    try:
        tree = json.loads(text or "{}")
    except ValueError as error:
        raise NotPlain(f"it is not plain JSON: {error}") from None
    if not isinstance(tree, dict):
        raise NotPlain("it is no object")
    return tree


def _merge(tree: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(tree)
    for name, value in ours.items():
        inner = made.get(name)
        made[name] = _merge(inner if isinstance(inner, dict) else {}, value) if isinstance(value, Mapping) else value
    return made


def _restore(tree: Mapping[str, Any], before: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with what was before in place of ours, and without what became empty by that."""
    made = dict(tree)
    for name, value in ours.items():
        inner, earlier = made.get(name), before.get(name)
        if isinstance(value, Mapping) and isinstance(inner, dict) and name != OWN:
            made[name] = _restore(inner, earlier if isinstance(earlier, dict) else {}, value)
            if not made[name] and name not in before:
                del made[name]
        elif name in before:
            made[name] = earlier
        else:
            made.pop(name, None)
    return made


def _dump(tree: Mapping[str, Any]) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n" if tree else ""


def differences(name: str, before: str, after: str, secret: str) -> Iterator[str]:
    """The lines that differ, as `diff -u` shows them, without the key."""
    from difflib import unified_diff

    for line in unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm=""):
        yield line.replace(secret, f"{secret[:10]}...") if secret else line
