import io
import json
import re

import pytest

from local.command_line.terminal import Terminal, usd

TITLES = ("alias", "spent", "team")
ROWS = [("ada", "$5.00", None), ("a longer [bold]name[/]", "$1,234.50", None)]
SHOWN = """\
alias                       spent
ada                         $5.00
a longer [bold]name[/]  $1,234.50
"""


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_names_can_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().show([], ("alias",), [("\x1b[2Jgone\r\nDELETED",)])
    _, line = capsys.readouterr().out.splitlines()
    assert line.isprintable()
    assert "gone" in line


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, ""),
        (0, "$0.00"),
        (0.0, "$0.00"),
        (5, "$5.00"),
        (1234.5, "$1,234.50"),
        (0.5, "$0.5"),
        (0.000000001, "$0.000000001"),
        (-2.5, "$-2.50"),
    ],
)
def test_money_as_people_read_it(amount: object, shown: str) -> None:
    assert usd(amount) == shown


@pytest.mark.parametrize(
    ("rows", "shown"), [(ROWS, SHOWN), ([], "Nothing yet.\n"), ([("x" * 300, None, None)], f"alias\n{'x' * 300}\n")]
)
def test_a_pipe_gets_whole_lines_without_columns_that_say_nothing(
    capsys: pytest.CaptureFixture[str], rows: list, shown: str
) -> None:
    Terminal().show({"a": 1}, TITLES, rows, empty="Nothing yet.")
    assert capsys.readouterr() == (shown, "")


def test_programs_get_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(as_json=True).show({"a": 1}, TITLES, ROWS)
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_a_screen_gets_no_line_that_is_wider_than_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit goes on in the next line of its column, and is all there."""
    monkeypatch.setattr("sys.stdout", screen := Screen())
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    Terminal().show([], TITLES, [("x" * 60, "$1.00", "a")])
    shown = re.sub(r"\x1b\[\d*m", "", screen.getvalue())
    assert max(map(len, shown.splitlines())) <= 40
    assert shown.count("x") == 60


def test_progress_is_for_who_watches_and_not_in_the_result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(Terminal().each([1, 2], 2, str)) == [1, 2]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr", screen := Screen())
    monkeypatch.setenv("TERM", "xterm")
    for item in Terminal().each([1, 2], 2, lambda item: f"page [{item}]"):
        print(f"found {item}")
    assert capsys.readouterr().out == "found 1\nfound 2\n"
    assert "0/2" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K"), "nothing of it stays"
