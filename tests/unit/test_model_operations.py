"""The table of what models serve, and all that is written of it elsewhere: what an operation lacks is named."""

import ast
import json
import re
from pathlib import Path

import pytest

from haimaker import adapters
from haimaker.api import formats
from haimaker.api.accounts import CHANGES, SHOWS
from haimaker.api.dispatch import HANDLERS
from haimaker.api.paths import LOCAL_ROUTES, MODEL_OPERATIONS, ROUTES, match
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.operation import TELEMETRY_NAMES

ROOT = Path(__file__).parents[2]
TEMPLATE = (ROOT / "template.yaml").read_text("utf-8")
TEMPLATE_PATHS = set(re.findall(r'^ {10}"(/[^"]+)":$', TEMPLATE, re.MULTILINE)) - {"/{proxy+}"}
EVENTS = {
    event["resource"].replace("{proxy+}", (event["pathParameters"] or {}).get("proxy", ""))
    for file in (ROOT / "events").glob("*.json")
    if "resource" in (event := json.loads(file.read_text("utf-8")))
}
"""The paths that `sam local invoke` can be given a request for."""
DOCS = "\n".join(file.read_text("utf-8") for file in (ROOT / "docs").glob("*.md"))


def served(file: Path) -> set[str]:
    """The names that a function says it serves."""
    constants = (node.value for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Constant))
    return {*constants} & {*MODEL_OPERATIONS}


SERVED = {name: file.parent.name for file in (ROOT / "functions").glob("*/app.py") for name in served(file)}


def missing(operation: str) -> list[str]:
    """What an operation of the table lacks, each as what there is to write."""
    about = MODEL_OPERATIONS[operation]
    folder = SERVED.get(operation)
    paths = {version + path for path in about.paths() for version in ("", "/v1")}
    lacks = [] if folder else [f"functions/: no app.py serves {operation!r}"]
    if folder and f"CodeUri: functions/{folder}/" not in TEMPLATE:
        lacks.append(f"template.yaml: no function of functions/{folder}/")
    below = tuple(path.removesuffix("{proxy+}") for path in TEMPLATE_PATHS if path.endswith("{proxy+}"))
    lacks += [
        f"template.yaml: no path {path}, which `python3 -m scripts.api_paths` writes"
        for path in sorted(paths - TEMPLATE_PATHS)
        if not path.startswith(below)
    ]
    beside = [path for name, place in SERVED.items() if place == folder for path in MODEL_OPERATIONS[name].paths()]
    if not EVENTS & {version + path for path in (*about.paths(), *beside) for version in ("", "/v1")}:
        lacks.append(f"events/: no event of POST {about.path}")
    if about.action and f":{about.action}" in DOCS:
        return lacks
    if f"/v1{about.path}" not in DOCS and f"…/{about.path.rpartition('/')[2]}" not in DOCS:
        lacks.append(f"docs/: nothing of {about.path}")
    return lacks


@pytest.mark.parametrize("operation", MODEL_OPERATIONS)
def test_an_operation_lacks_nothing(operation: str) -> None:
    assert missing(operation) == []


@pytest.mark.parametrize("operation", MODEL_OPERATIONS)
def test_an_operation_has_a_format_and_is_answered_in_one_way(operation: str) -> None:
    assert isinstance(formats.find(operation), ClientFormat)
    assert operation not in HANDLERS


def test_names_agree_wherever_there_are_names() -> None:
    assert {*HANDLERS, *MODEL_OPERATIONS} == {route.operation for route in (*ROUTES, *LOCAL_ROUTES)}
    assert adapters.ADAPTERS.keys() <= MODEL_OPERATIONS.keys()
    assert TELEMETRY_NAMES.keys() <= MODEL_OPERATIONS.keys()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a format that has its module and its line, and nothing else."""
    line = MODEL_OPERATIONS["chat_completions"]._replace(path="/no_such_thing", for_deployments=False, of_openai=False)
    monkeypatch.setitem(MODEL_OPERATIONS, "no_such_thing", line)  # type: ignore[arg-type]
    assert missing("no_such_thing") == [
        "functions/: no app.py serves 'no_such_thing'",
        "template.yaml: no path /no_such_thing, which `python3 -m scripts.api_paths` writes",
        "template.yaml: no path /v1/no_such_thing, which `python3 -m scripts.api_paths` writes",
        "events/: no event of POST /no_such_thing",
        "docs/: nothing of /no_such_thing",
    ]


PAGE = {file.name: file.read_text("utf-8") for file in (ROOT / "shared/haimaker/api/console/page").glob("*.js")}
KIND_PATHS = re.findall(r' path: "(/\w+)"', PAGE["payers.js"])


def asked_by_the_console() -> set[tuple[str, str]]:
    """The method and the path of each request that a page makes or shows, whose path it writes out."""
    found = set()
    for text in PAGE.values():
        for method, arguments in re.findall(r"\bapi\.(get|post|send)\((.*)", text):
            paths = re.findall(r'"(/[^"]*)"', arguments)
            for ending in re.findall(r"`\$\{[\w[\].]+\.path\}/([^`]*)`", arguments):
                actions = re.findall(r'"(\w+)"', ending) if ending.startswith("$") else [ending]
                paths += [f"{kind}/{action}" for kind in KIND_PATHS for action in actions]
            found |= {("GET" if method == "get" else "POST", path) for path in paths}
        found |= {("POST", path) for path in re.findall(r"\$\{baseUrl\}(/[\w/]+)", text)}
        found |= {("POST", f"/{path.replace('.', '/')}") for path in re.findall(r"\bclient\.([\w.]+)\.create\(", text)}
    return found


def test_the_console_asks_and_shows_only_what_there_is() -> None:
    """Its pages and its samples of code: each leads to an operation, and to an action of it."""
    asked = asked_by_the_console()
    assert {("POST", "/chat/completions"), ("POST", "/team/unblock"), ("POST", "/key/block"), ("GET", "/audit")} <= asked
    for method, path in asked:
        found = match(method, path)
        actions = {"POST": CHANGES, "GET": SHOWS}[method] if "action" in found.path_params else {}
        assert found.path_params.get("action") in {None, *actions}, (method, path)
