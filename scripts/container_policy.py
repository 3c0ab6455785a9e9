"""Writes into docs/deploy.md the policy that a container needs: what the functions' roles of the template may do with the tables.

Run it as `python3 -m scripts.container_policy` after a change of a role; needs .venv-aws.
"""

import json
import re
from pathlib import Path

from haimaker.http.values import JSON

DOCS = Path(__file__).parents[1] / "docs" / "deploy.md"
NAMES = {"AccountsTable": "<ARN of the accounts table>", "RecordsTable": "<ARN of the records table>"}
NOT_ITS = ("RollupRole",)
"""Daily totals stay the function's that is fed by the stream."""


def policy_text(template: JSON) -> str:
    """The policy as the docs show it: a statement per table or index, actions in their order."""
    allowed: dict[str, set[str]] = {}
    for name, found in template["Resources"].items():
        if found["Type"] != "AWS::IAM::Role" or name in NOT_ITS:
            continue
        for policy in found["Properties"].get("Policies", ()):
            for statement in policy["PolicyDocument"]["Statement"]:
                for resource in _list(statement["Resource"]):
                    if table := _table(resource):
                        allowed.setdefault(table, set()).update(_list(statement["Action"]))
    lines = [
        f'  {{"Effect": "Allow", "Resource": {json.dumps(resource)},\n   "Action": {json.dumps(sorted(allowed[resource]))}}}'
        for resource in sorted(allowed)
    ]
    return '{"Version": "2012-10-17", "Statement": [\n' + ",\n".join(lines) + "]}\n"


def _table(resource: JSON) -> str | None:
    arn = resource.get("Fn::Sub") or f"${{{'.'.join(resource.get('Fn::GetAtt', ('', '')))}}}"
    found = re.fullmatch(r"\$\{(\w+)\.Arn\}((?:/index/\w+)?)", arn)
    return NAMES[found[1]] + found[2] if found and found[1] in NAMES else None


def _list(found: object) -> list:
    return found if isinstance(found, list) else [found]


def main() -> None:
    from tests.support.aws_tools import TRANSLATE, run

    policy = policy_text(json.loads(run("python", "-c", TRANSLATE)))
    text = DOCS.read_text("utf-8")
    changed = re.sub(
        r'(```json\n)\{"Version": "2012-10-17".*?(```)', lambda found: found[1] + policy + found[2], text, flags=re.DOTALL
    )
    DOCS.write_text(changed, "utf-8")


if __name__ == "__main__":
    main()
