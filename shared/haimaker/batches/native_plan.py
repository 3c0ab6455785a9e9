"""Which lines become one batch of their provider's own: those of one target, as many as the provider takes, unless they are few."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from math import inf

from haimaker.batches.native import NativeCall, NativePart, PartFiles
from haimaker.providers.provider import NativeBatches

MOST_PARTS = 64
"""Of one batch; what would be in more is asked as all other lines are. Their state is in a document of 400 KB at most."""
ITEM_BYTES = 200
"""What an item may have around its body."""


def plan_parts(
    calls: Iterable[tuple[int, NativeCall | None]],
    rules: Callable[[str], NativeBatches],
    files: PartFiles,
    least_lines: int,
) -> list[NativePart]:
    """Writes the lines that may be in batches of their providers into parts, of one target each. Targets of fewer lines than
    `least_lines` have none, nor is there a batch of fewer than its provider takes."""
    growing, parts = dict[object, NativePart](), dict[object, list[NativePart]]()
    sizes, inputs = Counter[str](), Counter[str]()
    for number, call in calls:
        if call is None:
            continue
        key = (*call[:4], call.alike, *sorted(call.headers.items()))
        size, limits = len(call.body) + ITEM_BYTES, rules(call.provider)
        part = growing.get(key)
        if part is None or (
            part.lines == limits.most_lines
            or sizes[part.name] + size > limits.most_bytes
            or inputs[part.name] + call.inputs > (limits.most_inputs or inf)
        ):
            if size > limits.most_bytes or sum(map(len, parts.values())) == MOST_PARTS:
                continue
            part = NativePart(secrets.token_hex(8), *call[:5], first=number)
            parts.setdefault(key, []).append(part)
        files.append(part.name, b"%d %s\n" % (number, call.body))
        sizes[part.name] += size
        inputs[part.name] += call.inputs
        growing[key] = parts[key][-1] = part._replace(lines=part.lines + 1, last=number)
    kept = []
    for of_target in parts.values():
        is_enough = sum(part.lines for part in of_target) >= least_lines
        for part in of_target:
            if is_enough and part.lines >= rules(part.provider).least_lines:
                kept.append(part)
            else:
                files.delete(part.name)
    return kept
