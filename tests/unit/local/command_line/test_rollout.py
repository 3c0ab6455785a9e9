"""`make deploy` with the setting Rollout."""

import json
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from local.command_line import template_settings
from local.command_line.terminal import ROOT
from tests.support.account import STACK
from tests.unit.local.command_line.test_operate import Desk


@pytest.fixture
def desk(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        boto3.client("cloudformation").create_stack(StackName="haimaker", TemplateBody=json.dumps(STACK))
        yield Desk()


def test_a_rollout_is_written_into_what_was_built(desk, monkeypatch):
    """By settings that differ it says another release."""
    digests = []
    for days in ("7", "7", "14"):
        chosen = {"Rollout": "Canary10Percent5Minutes", "LogRetentionDays": days}
        monkeypatch.setattr(template_settings, "own_settings", lambda *_, chosen=chosen: chosen)
        assert desk("deploy", "--yes") == 0
        _, (python, script, rollout, digest, built, target), deploy = desk.commands[-3:]
        assert (Path(python).name, rollout) == ("python", "Canary10Percent5Minutes")
        assert built == str(ROOT / ".aws-sam" / "build" / "template.yaml")
        assert script == str(ROOT / "scripts" / "rollout_template.py")
        assert deploy[deploy.index("--template-file") + 1] == target
        digests.append(digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_rollout_that_can_not_be_written_is_not_deployed(desk, monkeypatch):
    monkeypatch.setattr(template_settings, "own_settings", lambda *_: {"Rollout": "AllAtOnce"})
    desk.statuses = [0, 1]
    assert desk("deploy", "--yes") == 1
    assert len(desk.commands) == 2
