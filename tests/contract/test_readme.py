"""Every command, program and configuration of the README is run, against a gateway that `make run` serves."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import anthropic
import cohere
import pytest
from google import genai
from google.genai.types import HttpOptions
from openai import OpenAI

from haimaker.api.paths import MODEL_OPERATIONS
from haimaker.models.table import TABLE
from haimaker.providers.registry import all_providers
from haimaker.settings.gateway_toml import parse_gateway_toml
from haimaker.settings.settings import Settings
from local.command_line.routes import list_targets
from tests.support.documentation import ADDRESS, ROOT, Guide, Served, run, serve, shape
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import plays_openai

GUIDE = Guide.read("README.md")
NUMBERS = {3: "Three", 4: "Four", 5: "Five", 6: "Six", 7: "Seven", 8: "Eight"}
WORDS = {
    "identify",
    "validate",
    "admit",
    "translate",
    "reserves",
    "worst",
    "case",
    "tell",
    "back",
    "local",
    "settle",
    "send",
    "plan",
    "price",
}
"""Of the diagram that name no module."""
TOUR, ARCHITECTURE = Guide.read("docs/tour.md"), Guide.read("docs/architecture.md")
README, blocks, after = GUIDE.text, GUIDE.written_in, GUIDE.after


def curl(path: str, guide: Guide = GUIDE) -> str:
    """The first command that asks for it."""
    return next(text for text in guide.written_in("sh") if text.startswith("curl") and f"/{path}" in text)


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as upstream:
        upstream.answers(plays_openai("Hello"))
        yield upstream


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve(tmp_path_factory.mktemp("home"))


def test_make_run_prints_what_the_readme_shows(served: Served) -> None:
    assert served.welcome == after("make run\n").replace(ADDRESS, served.address)


def test_the_printed_curl_works(served: Served) -> None:
    printed = served.welcome[served.welcome.index("curl") :]
    assert json.loads(run(printed, served))["choices"][0]["message"]["content"] == "Hello"


def test_curl_prints_what_the_readme_shows(served: Served) -> None:
    printed = json.loads(run(curl("v1/chat/completions"), served))
    assert shape(printed) == shape(json.loads(after(curl("v1/chat/completions"))))


def test_the_console_is_where_the_readme_says(served: Served) -> None:
    [address] = set(re.findall(rf"http://{ADDRESS}/console", README))
    assert run(f"curl -s {address}", served).startswith("<!doctype html>")


def test_a_key_is_issued_and_asked_what_is_left(served: Served) -> None:
    key = json.loads(run(curl("key/generate", TOUR), served))["key"]
    printed = json.loads(run(curl("key/info", TOUR), served, KEY=key))
    assert shape(printed) == shape(json.loads(TOUR.after(curl("key/info", TOUR))))


def test_a_request_is_simulated_before_it_is_sent(served: Served) -> None:
    printed = json.loads(run(curl("route/simulate", TOUR), served))
    assert [attempt["target"] for attempt in printed["attempts"]] == ["demo/echo", "demo/count"]


def test_the_program_prints_what_the_readme_shows(served: Served) -> None:
    program = next(text for text in blocks("python") if "OpenAI(" in text)
    done = subprocess.run(
        [sys.executable, "-c", program.replace(ADDRESS, served.address)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == after("OpenAI(")


def test_a_providers_key_turns_it_on(tmp_path: Path, upstream: FakeUpstream) -> None:
    command = next(text for text in blocks("sh") if text.startswith("export"))
    name, _, value = command.splitlines()[0].removeprefix("export ").partition("=")
    for served in serve(tmp_path, **{name: value, "OPENAI_BASE_URL": upstream.url}):
        assert "openai" in served.welcome.splitlines()[2]
        answer = json.loads(run(curl("v1/chat/completions").replace("demo/echo", "gpt-4o-mini"), served))
        assert answer["choices"][0]["message"]["content"] == "Hello"
        assert upstream.calls[-1].headers["authorization"] == f"Bearer {value}"


def test_the_configuration_is_valid() -> None:
    [text] = TOUR.written_in("toml")
    config = parse_gateway_toml(text, Path("gateway.toml"))
    assert set(config.routes) == set(tomllib.loads(text)["routes"])


@pytest.mark.parametrize("page", ["docs/tour.md", "docs/routing.md"])
def test_models_that_samples_name_have_a_price(page: str) -> None:
    """The retired and the misspelt have none; models of one's own have the price that the sample gives."""
    config = parse_gateway_toml("\n".join(Guide.read(page).written_in("toml")), Path("gateway.toml"))
    assert [lead.target for lead in list_targets(config, ()) if "no price" in lead.problem] == []


@pytest.mark.parametrize("page", ["README.md", "docs/providers.md"])
def test_the_providers_table_names_real_variables(page: str) -> None:
    """All that a row names before a semicolon turns the provider on; where it does not say "and", each of them does."""
    rows = re.findall(r"^\| [^|]+ \| `(\w+)/[^`]+` \| (.+) \|$", Guide.read(page).text, re.MULTILINE)
    assert len(rows) > 7
    for prefix, cell in rows:
        needed = cell.partition(";")[0]
        values = {name: "http://localhost:1/v1" if name.endswith("_URL") else "x-1" for name in re.findall(r"`([A-Z_]+)`", needed)}
        for environment in [values] if " and " in needed else [{name: value} for name, value in values.items()]:
            assert prefix in Settings.from_environment(environment).access, environment


def test_each_endpoint_answers_the_call_beside_it(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order: what is spoken is heard next."""
    monkeypatch.chdir(tmp_path)
    address = f"http://{served.address}/v1"
    client = OpenAI(base_url=address, api_key="sk-local", max_retries=0)
    names = {
        "client": client,
        "cohere": cohere,
        "anthropic": anthropic,
        "google": genai.Client(api_key="sk-local", http_options=HttpOptions(base_url=address[:-3])),
        "address": address,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    rows = re.findall(r"^\| `/v1(?:beta)?/([^`]+)`.*? \| `(.+?)`(?:, with .*)? \| \[", TOUR.text, re.MULTILINE)
    told_beside = {"images_edits", "images_variations", "audio_translations", "responses_compact"}
    told_beside |= {"gemini_stream", "gemini_embed", "gemini_batch_embed"}
    told = {"models/{model}:generateContent": "gemini_generate"}
    assert {told.get(path, path.replace("/", "_")) for path, _ in rows} == {"models", *MODEL_OPERATIONS} - told_beside
    for _, call in rows:
        eval(call, names)


def test_the_numbers_are_those_of_this_version() -> None:
    [others] = re.findall(r" and (\d+) others", README)
    assert int(others) + 10 <= len([row for row in all_providers() if not row.offline]) <= int(others) + 30
    [priced] = re.findall(r"table of ([\d,]+) models", ARCHITECTURE.text)
    models = [line for line in TABLE.read_bytes().splitlines() if b"#" not in line.partition(b"\t")[0]]
    assert int(priced.replace(",", "")) == len(models)


def test_the_runtime_packages_are_as_many_as_it_says() -> None:
    """Not those that another one brings along."""
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "shared" / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    brought = {
        re.split(r"[^\w-]", need)[0].replace("-", "_") for name in pinned for need in requires(name) or () if "extra ==" not in need
    }
    assert NUMBERS[len({name.replace("-", "_") for name in pinned} - brought)] == re.findall(r"(\w+) runtime packages", README)[0]


def test_every_step_of_the_diagram_is_a_module() -> None:
    [diagram] = [text for text in ARCHITECTURE.written_in("text") if "│ door" in text]
    steps = set(re.findall(r"[a-z]{4,}", diagram.partition("│ door")[2])) - WORDS
    assert len(steps) >= 10
    assert [step for step in steps if not any((ROOT / "shared" / "haimaker").glob(f"**/{step}*"))] == []


def test_every_page_is_in_the_index_and_in_the_readme() -> None:
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    for index, link in ((ROOT / "docs" / "README.md", "]({}"), (ROOT / "README.md", "](docs/{}")):
        text = index.read_text("utf-8")
        assert [page for page in sorted(pages) if link.format(page) not in text] == [], index


def test_every_link_leads_somewhere() -> None:
    for page in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text("utf-8")):
            name, _, anchor = link.partition("#")
            file = page.parent / name if name else page
            assert file.exists(), f"{page.name}: {link}"
            assert not anchor or anchor in anchors(file.read_text("utf-8")), f"{page.name}: {link}"


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def test_the_command_that_tests_is_the_one_that_ci_runs() -> None:
    assert "make test\n" in blocks("sh")
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")
    subprocess.run(["make", "-n", "test"], cwd=ROOT, check=True, capture_output=True)


def test_every_target_of_make_that_is_named_exists() -> None:
    """Those that need an AWS account are tested with the operator's commands; here, that make knows them."""
    named = re.findall(r"^(make [a-z-]+(?: [A-Z]+=\w+)*)", "\n".join(blocks("sh")), re.MULTILINE)
    assert {"make deploy", "make admin-key", "make build"} <= set(named)
    for command in named:
        subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_the_event_for_sam_local_is_there() -> None:
    [command] = [line for text in blocks("sh") for line in text.splitlines() if "sam local invoke" in line]
    function, event, settings = re.findall(r"invoke (\w+) -e (\S+) --env-vars (\S+)", command)[0]
    assert json.loads((ROOT / event).read_text("utf-8"))["httpMethod"] == "POST"
    assert json.loads((ROOT / settings).read_text("utf-8"))["Parameters"]
    assert f"  {function}:\n" in (ROOT / "template.yaml").read_text("utf-8")
