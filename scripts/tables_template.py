"""Prints the template of a stack that has the two tables and nothing else, which takes in tables that are there already; then
`make deploy` makes all the rest of it: docs/deploy.md.

`.venv-aws/bin/python scripts/tables_template.py`, of tables that a stack left behind; `--restored`, of tables restored from a
backup, which lack what AWS does not restore, and get it by that deployment.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery.Tutorial.html
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

JSON = dict[str, Any]
TEMPLATE = Path(__file__).parents[1] / "template.yaml"
TABLES = ("AccountsTable", "RecordsTable")
NOT_RESTORED = (
    *("StreamSpecification", "TimeToLiveSpecification", "PointInTimeRecoverySpecification"),
    *("DeletionProtectionEnabled", "Tags"),
)


def tables_template(template: JSON, *, restored: bool = False) -> JSON:
    """The tables of the translated template, with its parameters, so that the next deployment finds what it would of a stack of its
    own."""
    resources = {name: {**template["Resources"][name]} for name in TABLES}
    for table in resources.values():
        table["Properties"] = {
            name: value for name, value in table["Properties"].items() if not restored or name not in NOT_RESTORED
        }
    kept = {name: template[name] for name in ("AWSTemplateFormatVersion", "Parameters", "Conditions")}
    return {**kept, "Resources": resources}


def translate(template: JSON) -> JSON:
    """What CloudFormation gets, by AWS's own translator, which wants a Region. Needs .venv-aws."""
    os.environ.setdefault("AWS_DEFAULT_REGION", os.environ.get("AWS_REGION", "us-east-1"))
    from samtranslator.translator.transform import transform

    for resource in template["Resources"].values():  # `sam package` puts local folders into a bucket
        for name in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][name] = "s3://bucket/" + resource["Properties"][name]
    managed_policies = type("None of them is used", (), {"load": dict})
    translated: JSON = transform(template, {}, managed_policies)
    return translated


def main() -> None:
    from samtranslator.yaml_helper import yaml_parse

    template = translate(yaml_parse(TEMPLATE.read_text("utf-8")))
    print(json.dumps(tables_template(template, restored="--restored" in sys.argv)))


if __name__ == "__main__":
    main()
