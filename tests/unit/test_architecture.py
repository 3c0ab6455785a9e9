"""The rules of the layout, read from the imports. A module that breaks one is named with the line."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from haimaker.providers.registry import all_providers

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "shared"
PACKAGE = sorted((LAYER / "haimaker").rglob("*.py"))
LOCAL = sorted((ROOT / "local").rglob("*.py"))
FUNCTIONS = sorted((ROOT / "functions").rglob("*.py"))

OTHER_MEANINGS = {("rerank.py", "meta"), ("paths.py", "openai"), ("account_ids.py", "anthropic")}
"""Words that are not meant as a provider's name: a field of Cohere's answers, the first word of Azure's paths, a kind of skills."""
PURE = (
    "adapters", "models", "media", "operations", "pricing", "providers",
)  # fmt: skip
"""Modules and packages that have to be, whether they say so or not; so have all whose docstring has the word."""
IMPURE = {
    "concurrent",
    "http",
    "httpx",
    "httpx2",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "urllib3",
}
READS_THE_ENVIRONMENT = ("settings.py", "runtime.py")
NOT_AT_START = (
    "asyncio", "aws_lambda_powertools", "boto3", "botocore", "haimaker.credentials.aws_instance",
    "haimaker.content.log", "haimaker.aws_lambda.handler", "haimaker.blobs", "haimaker.links", "haimaker.stored_files",
    "haimaker.batches",
    "haimaker.api.account_fields", "haimaker.settings.store",
    "haimaker.aws_lambda.rollup", "haimaker.settings.gateway_toml", "haimaker.aws_lambda.runtime",
    "haimaker.api.spend",
    "haimaker.observability.prometheus",
    "haimaker.observability.redaction", "haimaker.store.dynamodb", "haimaker.store.sqlite", "haimaker.content.transcript",
    "haimaker.observability.otlp", "httpx", "httpx2", "joserfc", "opentelemetry", "rich", "sqlite3", "tomllib", "unittest", "xml",
)  # fmt: skip
"""What the request path may need later, or never: none of it is worth waiting for at a cold start."""
HEAVY = frozenset(
    ["concurrent.futures", "dataclasses", "difflib", "importlib.metadata", "inspect", "logging", "pydantic", "pydantic_core",
     "shutil", "tempfile", "traceback", "typing_extensions", "uuid"]
)  # fmt: skip
"""What takes milliseconds and megabytes of every start, here or with what it imports, and is needed by few requests or none."""

LONG_FUNCTION, TOO_LONG_FUNCTION = 40, 60
LONG_FILE, TOO_LONG_FILE = 300, 400


class Import(NamedTuple):
    module: str
    line: int
    at_start: bool
    """At the top of the module: not inside a function, and not only for type checkers."""


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))


def name_of(file: Path) -> str:
    parts = file.relative_to(LAYER).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES: Mapping[str, Path] = {name_of(file): file for file in PACKAGE}


@cache
def imports(file: Path) -> tuple[Import, ...]:
    return tuple(_imports(tree(file), at_start=True))


def _imports(node: ast.AST, at_start: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, at_start) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            module = child.module or ""
            submodules = [f"{module}.{alias.name}" for alias in child.names if f"{module}.{alias.name}" in MODULES]
            yield from (Import(found, child.lineno, at_start) for found in submodules or [module])
        else:
            yield from _imports(child, at_start and not inside and not for_types)


def needs(module: str) -> set[str]:
    """The modules of the package that are imported with this one."""
    return {found.module for found in imports(MODULES[module]) if found.at_start and found.module in MODULES} - {module}


def closure(module: str) -> set[str]:
    seen, waiting = set[str](), [module]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += needs(current)
    return seen


def is_pure(module: str) -> bool:
    said = ast.get_docstring(tree(MODULES[module])) or ""
    return not {*module.split(".")[1:2]}.isdisjoint(PURE) or re.search(r"\bPure\b", said) is not None


def place(file: Path, line: int) -> str:
    return f"{file.relative_to(ROOT)}:{line}"


def test_what_has_to_be_pure_is_there() -> None:
    assert [name for name in PURE if f"haimaker.{name}" not in MODULES] == []


@pytest.mark.parametrize("module", [name for name in MODULES if is_pure(name)])
def test_a_pure_module_has_no_socket_clock_chance_thread_or_environment(module: str) -> None:
    """Neither itself nor through what it imports."""
    found = [
        f"{place(MODULES[inner], at.line)} imports {at.module}"
        for inner in closure(module)
        for at in imports(MODULES[inner])
        if at.module.split(".")[0] in IMPURE and (at.at_start or inner == module)
    ]
    assert found == []


def test_nothing_that_is_deployed_imports_boto3() -> None:
    """It is for the operator's commands and for tests."""
    found = [
        place(file, at.line) for file in (*PACKAGE, *FUNCTIONS) for at in imports(file) if at.module.startswith(("boto", "aioboto"))
    ]
    assert found == []


def test_what_the_command_line_brings_is_imported_when_a_command_needs_it() -> None:
    """`haimaker` alone serves: a gateway has none of it in memory, nor has what is deployed."""
    brought = {
        *re.findall(r"^(\w+)==", (ROOT / "local/requirements.txt").read_text("utf-8"), re.MULTILINE),
        "boto3",
        "botocore",
        "yaml",
    }
    found = [
        place(file, at.line)
        for file in (*PACKAGE, *LOCAL)
        for at in imports(file)
        if at.module.split(".")[0] in brought and (at.at_start or file in PACKAGE)
    ]
    assert found == []


def test_functions_import_the_layer_only() -> None:
    others = [
        place(file, at.line) for file in FUNCTIONS for at in imports(file) if at.module.split(".")[0] not in ("haimaker", "typing")
    ]
    assert others == []


def test_modules_import_each_other_without_a_cycle() -> None:
    """Neither at the start nor when they are used, nor for types. A package may choose among its own modules when it is used."""
    named = {
        module: {
            found.module
            for found in imports(file)
            if found.module in MODULES and (found.at_start or not found.module.startswith(f"{module}."))
        }
        - {module}
        for module, file in MODULES.items()
    }
    try:
        TopologicalSorter(named).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_a_start_imports_what_it_needs() -> None:
    """A function's, in a process of its own, in which the table of prices is not opened either; and then the local gateway's."""
    code = (
        "import sys, haimaker.gateway, haimaker.models.catalog\n"
        "print(*sorted(sys.modules), haimaker.models.table.packaged_table.cache_info().currsize)\n"
        "import local.__main__\n"
        "print(*sorted(sys.modules))"
    )
    env = {**os.environ, "PYTHONPATH": f"{LAYER}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60)
    in_function, at_local_gateway = (line.split() for line in done.stdout.splitlines())
    *loaded, tables_open = in_function
    assert sorted(set(loaded) & {*NOT_AT_START, *HEAVY}) == []
    assert [module for module in loaded if module.startswith("haimaker.adapters.") and module.count(".") > 2] == []
    assert tables_open == "0"
    assert sorted(set(at_local_gateway) & HEAVY) == []


def test_no_code_asks_for_a_providers_name() -> None:
    """Providers are data, in a package of their own. An adapter may have them as data of its format, and
    families the names of their makers; never in a test."""
    names = {provider.name for provider in all_providers()}
    found = []
    for file in (*PACKAGE, *LOCAL):
        if file.name in ("demo.py", "settings.py") or file.parent.name == "providers":
            continue
        in_tests = {
            id(leaf) for node in ast.walk(tree(file)) if isinstance(node, ast.Compare | ast.MatchValue) for leaf in ast.walk(node)
        }
        for node in ast.walk(tree(file)):
            if (file.name, getattr(node, "value", None)) in OTHER_MEANINGS:
                continue
            as_data = not {"adapters", "models"}.isdisjoint(file.parts) and id(node) not in in_tests
            if isinstance(node, ast.Constant) and node.value in names and not as_data:
                found.append(f"{place(file, node.lineno)} {node.value!r}")
    assert found == []


def test_settings_alone_read_the_environment() -> None:
    """Whoever starts the process hands it to them whole."""
    found = []
    for file in PACKAGE:
        handed = {
            id(argument)
            for node in ast.walk(tree(file))
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("Settings.")
            for argument in node.args
        }
        for node in ast.walk(tree(file)):
            reads = isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "os.environb")
            if reads and id(node) not in handed and file.name not in READS_THE_ENVIRONMENT:
                found.append(place(file, node.lineno))
    assert found == []


def test_all_connections_share_one_tls_context() -> None:
    found = [
        place(file, node.lineno)
        for file in PACKAGE
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Attribute) and node.attr == "create_default_context" and file.name != "tls.py"
    ]
    assert found == []


def test_functions_and_files_stay_short() -> None:
    """What is long is printed, to be looked at; what is too long fails."""
    functions = {
        f"{place(file, node.lineno)} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for file in (*PACKAGE, *LOCAL)
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef)
    }
    files = {place(file, 1): len(file.read_text("utf-8").splitlines()) for file in (*PACKAGE, *LOCAL)}
    for lengths, long in ((functions, LONG_FUNCTION), (files, LONG_FILE)):
        for name, lines in sorted(lengths.items(), key=lambda item: -item[1]):
            if lines > long:
                print(f"{lines} lines: {name}")
    assert [name for name, lines in functions.items() if lines > TOO_LONG_FUNCTION] == []
    assert [name for name, lines in files.items() if lines > TOO_LONG_FILE] == []


def test_modules_that_are_named_in_words_are_there() -> None:
    there = [
        path.as_posix() for folder in ("shared", "local", "scripts", "tests", "bench") for path in (ROOT / folder).rglob("*.py")
    ]
    found = []
    for file in (*PACKAGE, *LOCAL):
        for name in re.findall(r"`([a-z_][a-z_/]*\.py)`", file.read_text("utf-8")):
            if not any(path.endswith(f"/{name}") for path in there):
                found.append(f"{place(file, 1)} {name}")
    assert found == []


def test_every_module_says_what_it_is() -> None:
    assert [place(file, 1) for file in (*PACKAGE, *LOCAL) if tree(file).body and not ast.get_docstring(tree(file))] == []


ORDER = (
    "lean_dataclasses",
    "lean_pydantic",
    "long_work",
    "http",
    "validation",
    "aws",
    "blobs",
    "models",
    "pricing",
    "providers",
    "media",
    "operations",
    "adapters",
    "store",
    "accounts",
    "billing",
    "observability",
    "routing",
    "credentials",
    "settings",
    "links",
    "stored_files",
    "batches",
    "content",
    "demo",
    "upstream",
    "services",
    "api",
    "gateway",
    "aws_lambda",
)
"""The packages from the bottom up: each may import those before it, at a start, later or for its types."""


def package_of(module: str) -> str:
    return "" if "." not in module else module.split(".")[1]


def test_packages_depend_one_way() -> None:
    height = {package: number for number, package in enumerate(ORDER)}
    assert {package_of(name) for name in MODULES} - {""} == set(ORDER)
    found = [
        f"{place(file, at.line)} imports {at.module}"
        for name, file in MODULES.items()
        for at in imports(file)
        if at.module in MODULES and at.module != "haimaker" and height[package_of(at.module)] > height[package_of(name)]
    ]
    assert found == []


def test_dataclasses_are_made_as_they_are_used() -> None:
    """The standard library's module takes 1.6 MB with what it imports, and its decorator compiles six methods of a class when that
    is imported, used or not. The command line may use it."""
    files = [file for file in (*PACKAGE, *LOCAL) if file.name != "lean_dataclasses.py" and "command_line" not in file.parts]
    found = [place(file, at.line) for file in files for at in imports(file) if at.module == "dataclasses"]
    assert found == [], "import it from haimaker.lean_dataclasses"


def test_fields_are_declared_without_pydantic() -> None:
    """Which is not in the layer; a type checker alone sees it."""
    found = [place(file, at.line) for file in (*PACKAGE, *FUNCTIONS) for at in imports(file) if at.module == "pydantic"]
    assert [each for each in found if "lean_pydantic.py" not in each] == [], "import from haimaker.lean_pydantic"


def test_a_cold_start_imports_pydantics_core_alone() -> None:
    """As `shared/stream-wrapper` starts a function; pydantic itself is no part of the layer."""
    code = (
        "import sys; from haimaker.aws_lambda.runtime import load; load('app.handler', sys.argv[1])\n"
        "from haimaker.operations.chat import parse_chat\n"
        'print(parse_chat(b\'{"model": "m", "messages": [{"role": "user"}]}\').model, *sorted(sys.modules), sep=" ")'
    )
    stack = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    stack |= {"HAIMAKER_ACCOUNTS_TABLE": "accounts", "HAIMAKER_RECORDS_TABLE": "records"}
    env = {**os.environ, **stack, "PYTHONPATH": str(LAYER)}
    folder = ROOT / "functions" / "chat_completions"
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
    model, *loaded = done.stdout.split()
    assert model == "m"
    assert sorted(set(loaded) & HEAVY) == []
