"""Prints the template of a stack that has the two tables and nothing else, which takes in tables that are there already; then
`make deploy` makes all the rest of it: docs/deploy.md.

`python3 -m scripts.tables_template`, of tables that a stack left behind; `--restored`, of tables restored from a backup, which lack
what AWS does not restore, and get it by that deployment. Needs .venv-aws.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery.Tutorial.html
"""

import json
import sys

from haimaker.http.values import JSON

TABLES = ("AccountsTable", "RecordsTable")
NOT_RESTORED = (
    *("StreamSpecification", "TimeToLiveSpecification", "PointInTimeRecoverySpecification"),
    *("DeletionProtectionEnabled", "Tags"),
)


def tables_template(template: JSON, *, restored: bool = False) -> JSON:
    """Of the translated template: with its parameters, so that the next deployment finds what it would of a stack of its own."""
    resources = {name: {**template["Resources"][name]} for name in TABLES}
    for table in resources.values():
        table["Properties"] = {
            name: value for name, value in table["Properties"].items() if not restored or name not in NOT_RESTORED
        }
    kept = {name: template[name] for name in ("AWSTemplateFormatVersion", "Parameters", "Conditions")}
    return {**kept, "Resources": resources}


def main() -> None:
    from tests.support.aws_tools import TRANSLATE, run

    template = json.loads(run("python", "-c", TRANSLATE))
    print(json.dumps(tables_template(template, restored="--restored" in sys.argv)))


if __name__ == "__main__":
    main()
