"""`haimaker batches`: a file of requests answered while its progress is shown; batches as a list, and cancelled."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .api_client import JSON, APIClient
from .context import Context
from .stack import OperatorError
from .terminal import Terminal, usd

ENDED = ("completed", "failed", "expired", "cancelled")
FIRST_LOOK_S, LONGEST_LOOK_S = 0.2, 5.0
"""Between two looks at a batch, at first and in the end."""
TITLES = ("batch", "status", "endpoint", "lines", "done", "failed", "cost")


def add(commands: Any) -> None:
    parser = commands.add_parser("batches", help="answer a file of requests, and see those that run", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser("run", help="upload a file, have its lines answered, fetch the answers")
    action.add_argument("file", type=Path, metavar="FILE.jsonl", help="a request on each line, as OpenAI's batches have them")
    action.add_argument("--output", type=Path, metavar="FILE", help="where the answers go; FILE.output.jsonl without it")
    action.add_argument("--errors", type=Path, metavar="FILE", help="where what failed goes; FILE.errors.jsonl without it")
    action.set_defaults(run=run)
    action = actions.add_parser("list", help="the batches of the key, the newest first")
    action.set_defaults(run=show)
    action = actions.add_parser("cancel", help="ask nothing more; what was answered is kept")
    action.add_argument("id", metavar="BATCH")
    action.set_defaults(run=cancel)


def run(context: Context) -> int:
    """0 where all lines were answered, else 1. Raises OperatorError."""
    arguments, terminal, client = context.arguments, context.terminal, context.api_client()
    endpoint = _endpoint(arguments.file)
    file = client.upload(arguments.file, "batch")
    batch = client.post("/batches", {"input_file_id": file["id"], "endpoint": endpoint, "completion_window": "24h"})
    terminal.note(f"{batch['id']} has begun. Ctrl-C leaves it running; haimaker batches cancel {batch['id']} ends it.")
    for now in _looks(terminal, client, batch):
        batch = now
    for kind, name in (("output", arguments.output), ("error", arguments.errors)):
        if file_id := batch[f"{kind}_file_id"]:
            path = name or arguments.file.with_suffix(".output.jsonl" if kind == "output" else ".errors.jsonl")
            client.download(f"/files/{file_id}/content", path)
            terminal.note(f"{kind}: {path}")
    if terminal.as_json:
        terminal.say(json.dumps(batch, indent=2))
    else:
        terminal.say(_summary(batch))
    counts = batch["request_counts"]
    return 0 if batch["status"] == "completed" and not counts["failed"] else 1


def _endpoint(path: Path) -> str:
    """What the first line asks for. Raises OperatorError."""
    try:
        with path.open(encoding="utf-8") as file:
            return str(json.loads(next(line for line in file if line.strip()))["url"])
    except OSError as error:
        raise OperatorError(f"{path} can't be read: {error.strerror}.") from None
    except (StopIteration, ValueError, KeyError, TypeError):
        raise OperatorError(f"{path} begins with no request: a line has custom_id, method, url and body.") from None


def _looks(terminal: Terminal, client: APIClient, batch: JSON) -> Iterator[JSON]:
    """The batch as it is, again and again until its end, with a bar of its lines where somebody watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    pause_s, watched = FIRST_LOOK_S, sys.stderr.isatty()
    with Progress(*columns, console=terminal.screen(), transient=True) if watched else nullcontext() as progress:
        task = progress.add_task("") if progress else None
        while batch["status"] not in ENDED:
            time.sleep(pause_s)
            pause_s = min(1.2 * pause_s, LONGEST_LOOK_S)
            batch = client.get(f"/batches/{batch['id']}")
            counts = batch["request_counts"]
            if progress and task is not None:
                done, total = counts["completed"] + counts["failed"], counts["total"] or None
                progress.update(task, completed=done, total=total, description=f"{batch['status']} {usd(batch['usage']['cost'])}")
            yield batch


def _summary(batch: JSON) -> str:
    counts = batch["request_counts"]
    text = f"{batch['status']}: {counts['completed']} of {counts['total']} answered, {counts['failed']} failed"
    for error in (batch["errors"] or {}).get("data", ()):
        where = f"line {error['line']}: " if error["line"] else ""
        text += f"\n{where}{error['message']} ({error['code']})"
    return f"{text}; {usd(batch['usage']['cost'])}" if not batch["errors"] else text


def show(context: Context) -> int:
    found = context.api_client().get("/batches", limit=100)["data"]
    rows = [
        (
            *(batch["id"], batch["status"], batch["endpoint"]),
            *(batch["request_counts"][name] for name in ("total", "completed", "failed")),
            usd(batch["usage"]["cost"]),
        )
        for batch in found
    ]
    context.terminal.show(found, TITLES, rows, empty="There are no batches.")
    return 0


def cancel(context: Context) -> int:
    batch = context.api_client().post(f"/batches/{context.arguments.id}/cancel", {})
    context.terminal.tell(f"{batch['id']}: {batch['status']}", **batch)
    return 0
