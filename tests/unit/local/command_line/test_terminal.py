import json

import pytest

from local.command_line.terminal import Terminal, table, usd

ROWS = [("ada", "$5.00", None), ("a longer name", "$1,234.50", None)]


def test_columns_are_aligned_and_those_that_say_nothing_left_out() -> None:
    assert table(("alias", "spent", "team"), ROWS) == [
        "alias              spent",
        "ada                $5.00",
        "a longer name  $1,234.50",
    ]


def test_names_can_not_move_the_cursor() -> None:
    [_, line] = table(("alias",), [("\x1b[2Jgone\r\nDELETED",)])
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
    ("as_json", "rows", "shown"),
    [(True, ROWS, '{"a": 1}'), (False, ROWS, "\n".join(table(("alias", "spent", "team"), ROWS))), (False, [], "Nothing yet.")],
)
def test_values_are_shown_to_programs_or_to_people(
    capsys: pytest.CaptureFixture[str], as_json: bool, rows: list, shown: str
) -> None:
    Terminal(as_json).show({"a": 1}, ("alias", "spent", "team"), rows, empty="Nothing yet.")
    out = capsys.readouterr().out
    assert (json.loads(out) == json.loads(shown)) if as_json else (out == shown + "\n")


def test_progress_is_for_who_watches_and_not_in_the_result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(Terminal().each([1, 2], 2, str)) == [1, 2]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(Terminal().each([1, 2], 2, lambda item: f"page {item}")) == [1, 2]
    out, err = capsys.readouterr()
    assert out == ""
    assert "1/2 page 1 ..." in err
    assert err.endswith("\r\x1b[K")
