"""What contributors need: the hooks before a commit, the forms for issues and pull requests, the list of changes."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.unit.test_architecture import ORDER

ROOT = Path(__file__).parents[2]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def test_the_hooks_run_what_make_check_runs() -> None:
    recipe = subprocess.run(["make", "-n", "check"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == re.findall(r"^\.venv/bin/python -m (?:ruff|mypy).*$", recipe, re.MULTILINE)


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one_that_github_takes(form: Path) -> None:
    """https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms"""
    content = yaml.safe_load(form.read_text("utf-8"))
    assert content["name"]
    assert content["description"]
    ids = [field["id"] for field in content["body"]]
    assert len(ids) == len(set(ids))
    for field in content["body"]:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
        assert set(field) <= {"type", "id", "attributes", "validations"}


def test_the_changelog_names_this_version_after_what_is_not_released() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    titles = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert titles[:2] == ["Unreleased", version]


def test_the_picture_of_the_packages_is_theirs() -> None:
    """Each is described, from the bottom up."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert tuple(rows) == ORDER
    [picture] = re.findall(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    arrows = [step.split() for step in re.findall(r"(\w+(?: --> \w+)+)", picture)]
    drawn = [
        (one, other) for line in arrows for one, other in zip(line[::2], line[2::2], strict=False) if {one, other} <= set(ORDER)
    ]
    assert len(drawn) >= 12
    assert [(one, other) for one, other in drawn if ORDER.index(one) > ORDER.index(other)] == []
