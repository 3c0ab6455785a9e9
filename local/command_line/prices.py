"""A table of prices before it is given to gateways that run: every line of it has to be one that they can charge by."""

import json
from datetime import date
from pathlib import Path

from haimaker.models.rates import is_rate_name, to_units
from haimaker.models.table import Table

from .stack import OperatorError


def check_table(file: Path) -> bytes:
    """The lines of a table. Raises OperatorError, naming the first that is wrong."""
    try:
        lines = file.read_bytes()
        date.fromisoformat(Table(lines).date)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(f"{file} is no table of prices: {error}") from None
    _, *rows = lines.splitlines()
    names = [row.partition(b"\t")[0] for row in rows]
    if names != sorted(set(names)):
        raise OperatorError(f"{file}: the lines are not in the order of their names.")
    for number, row in enumerate(rows, 2):
        try:
            said = json.loads(row.partition(b"\t")[2])
            rates = said["rates"] | said.get("off_peak", {}).get("rates", {})
            wrong = [name for name, rate in rates.items() if not is_rate_name(name) or to_units(rate) < 0]
            if wrong or not isinstance(said["mode"], str) or not isinstance(said["supports"], list):
                raise ValueError(", ".join(wrong) or "mode or supports")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OperatorError(f"{file}, line {number}: {error}") from None
    return lines
