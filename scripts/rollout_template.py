"""Writes the template of a stack whose releases reach their clients bit by bit, with the parameter Rollout: each function behind
the API gets versions and the alias `live`, which the API then calls, and AWS CodeDeploy leads requests from one version to the
next, and back when an alarm of the stack rings. `make deploy` runs it on what `sam build` left.

`.venv-aws/bin/python scripts/rollout_template.py Canary10Percent5Minutes <digest of the settings> from.yaml to.yaml`

It is no condition in template.yaml, since SAM takes none there: whether a function has an alias is decided before parameters are
known. URLs of functions stay those of the functions, so that no address changes, and have a new release at once.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html
"""

import re
import sys
from pathlib import Path
from typing import Any

JSON = dict[str, Any]
ALIAS = "live"
ALARMS = ("ErrorRateAlarm", "StoreProblemsAlarm", "ApiFailuresAlarm", "ChatFailuresAlarm")
"""What brings the release before back: CodeDeploy takes ten at most."""
PERMISSION = "ApiPermission"
FUNCTION_IN_ADDRESS = re.compile(r"\$\{(\w+Function)\.Arn\}(?=/(response-streaming-)?invocations)")


def with_rollout(template: JSON, rollout: str, digest: str) -> JSON:
    """A template with versions, before SAM translates it. Lambda publishes a version only of a function that changed, so the
    `digest` of the stack's settings is in the functions' descriptions: a setting that changed is a release."""
    resources = {**template["Resources"]}
    names = [name.removesuffix(PERMISSION) for name in resources if name.endswith(PERMISSION)]
    for name in names:
        function = resources[f"{name}Function"]
        properties = {
            **function["Properties"],
            "Description": f"{function['Properties']['Description']}; settings {digest}",
            "AutoPublishAlias": ALIAS,
            "AutoPublishAliasAllProperties": True,
            "DeploymentPreference": {"Type": rollout, "Alarms": [{"Ref": alarm} for alarm in ALARMS]},
        }
        if invoked := properties.pop("EventInvokeConfig", None):  # by the function itself, not by its alias
            of_function = {"FunctionName": {"Ref": f"{name}Function"}, "Qualifier": "$LATEST", **invoked}
            resources[f"{name}FunctionEventInvokeConfig"] = {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": of_function}
        resources[f"{name}Function"] = {**function, "Properties": properties}
        permission = resources[f"{name}{PERMISSION}"]
        of_alias = {**permission["Properties"], "FunctionName": {"Ref": _alias(f"{name}Function")}}
        resources[f"{name}Alias{PERMISSION}"] = {**permission, "Properties": of_alias}
    layer = resources["HaimakerLayer"]
    resources["HaimakerLayer"] = {**layer, "Properties": {**layer["Properties"], "PublishLambdaVersion": True}}
    api = resources["GatewayApi"]
    resources["GatewayApi"] = {**api, "Properties": _calling_aliases(api["Properties"])}
    return {**template, "Resources": resources}


def _alias(function: str) -> str:
    """SAM's name for it."""
    return f"{function}Alias{ALIAS}"


def _calling_aliases(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _calling_aliases(inner) for name, inner in node.items()}
    if isinstance(node, list):
        return [_calling_aliases(inner) for inner in node]
    if isinstance(node, str):
        return FUNCTION_IN_ADDRESS.sub(lambda found: f"${{{_alias(found[1])}}}", node)
    return node


def main() -> None:
    from samcli.yamlhelper import yaml_dump, yaml_parse  # of .venv-aws

    rollout, digest, source, target = sys.argv[1:]
    template = yaml_parse(Path(source).read_text("utf-8"))
    Path(target).write_text(yaml_dump(with_rollout(template, rollout, digest)), "utf-8")


if __name__ == "__main__":
    main()
