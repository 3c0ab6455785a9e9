"""Adds new records to daily totals; called with batches of the records table's stream."""

from typing import Any

from haimaker.aws_lambda.rollup import DailyTotals

rollup = DailyTotals.from_environment()


def handler(event: dict[str, Any], _context: object) -> None:
    rollup.add(event)
