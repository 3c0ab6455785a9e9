"""The dashboard and the alarms of the translated template: on what the code counts and logs, and on nothing else."""

import json
import re

import pytest

from haimaker.observability import metrics
from haimaker.observability.observer import fields_of
from tests.support.builders import record

SERVICE = [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]


@pytest.fixture(scope="module")
def alarms(resources):
    return {name: found["Properties"] for name, found in resources.items() if found["Type"] == "AWS::CloudWatch::Alarm"}


@pytest.fixture(scope="module")
def dashboard(resources):
    return json.loads(substituted(resources["GatewayDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]))


def substituted(text):
    """As CloudFormation does it: `${!…}` stands for itself without the mark."""
    values = {"AWS::StackName": "stack-1", "AWS::Region": "eu-west-1"}
    return re.sub(
        r"\$\{(!?)([^}]+)\}", lambda found: f"${{{found[2]}}}" if found[1] else values.get(found[2], f"<{found[2]}>"), text
    )


def of_alarm(alarm):
    if "MetricName" in alarm:
        return [(alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"], alarm["Statistic"])]
    stats = [metric["MetricStat"] for metric in alarm["Metrics"] if "MetricStat" in metric]
    return [
        (stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], stat["Metric"]["Dimensions"], stat["Stat"]) for stat in stats
    ]


def test_alarms_are_on_what_is_counted_over_all_operations(alarms):
    watched = [found for alarm in alarms.values() for found in of_alarm(alarm)]
    assert {name for _, name, _, _ in watched} == set(metrics.OF_THE_SERVICE)
    assert {(namespace, stat) for namespace, _, _, stat in watched} == {(metrics.NAMESPACE, "Sum")}
    assert all(dimensions == SERVICE for _, _, dimensions, _ in watched)
    assert len(watched) <= 10, "as many as are free in an account"


def test_an_alarm_says_what_to_do_and_is_quiet_while_nobody_calls(alarms):
    for name, alarm in alarms.items():
        assert alarm["AlarmDescription"].endswith("."), name
        assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("notBreaching", "GreaterThanThreshold"), name
        assert alarm["AlarmName"]["Fn::Sub"].startswith("${AWS::StackName}-"), name
    assert alarms["ErrorRateAlarm"]["Threshold"] == {"Ref": "AlarmErrorPercent"}
    assert (alarms["CostAlarm"]["Threshold"], alarms["CostAlarm"]["Period"]) == ({"Ref": "AlarmUsdPerHour"}, 3600)
    assert {alarms[name]["Threshold"] for name in ("CostUnknownAlarm", "UnpricedAlarm", "HoldsLostAlarm")} == {0}


def test_the_error_rate_is_a_percentage_and_needs_some_requests(alarms):
    (shown, *stats) = alarms["ErrorRateAlarm"]["Metrics"]
    assert all(stat["ReturnData"] is False for stat in stats)
    ids = {stat["Id"]: stat["MetricStat"]["Metric"]["MetricName"] for stat in stats}
    assert ids == {"requests": "Requests", "faults": "Faults"}
    parsed = re.fullmatch(r"IF\(requests >= (\d+), (.*), 0\)", shown["Expression"])
    formula = parsed[2].replace("FILL(faults, 0)", "faults")
    assert eval(formula, {"requests": 40, "faults": 2}) == 5.0
    assert int(parsed[1]) == 10


def test_alarms_are_sent_only_to_who_left_an_address(template, resources, alarms):
    assert template["Parameters"]["AlarmEmail"]["Default"] == ""
    topic = resources["AlarmTopic"]
    assert topic["Condition"] == "HasAlarmEmail"
    assert topic["Properties"]["Subscription"] == [{"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}]
    for alarm in alarms.values():
        sent = {"Fn::If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], []]}
        assert (alarm["AlarmActions"], alarm["OKActions"]) == (sent, sent)


def searched(dashboard):
    for widget in dashboard["widgets"]:
        for (metric,) in widget["properties"].get("metrics", ()):
            yield re.fullmatch(r"SEARCH\('(.*)', '(\w+)', (\d+)\)", metric["expression"])


def test_the_dashboard_shows_what_is_counted_and_all_of_it(dashboard, resources):
    shown = set()
    for found in searched(dashboard):
        search = re.fullmatch(r'\{(.*)\} service="stack-1" MetricName=(.*)', found[1])
        assert search[1].split(",") == [metrics.NAMESPACE, *metrics.DIMENSIONS]
        shown |= set(re.findall(r'"(\w+)"', search[2]))
        assert found[2] in ("Sum", "p50", "p95")
    assert shown == set(metrics.METRICS) - {"Errors", "Faults"}, "which are sums of the classes"
    assert resources["GatewayDashboard"]["Condition"] == "HasDashboard"


def test_the_dashboard_shows_the_state_of_every_alarm(dashboard, alarms):
    shown = dashboard["widgets"][0]["properties"]["alarms"]
    assert sorted(shown) == sorted(f"<{name}.Arn>" for name in alarms)


def test_widgets_lie_beside_each_other(dashboard):
    taken = set()
    for widget in dashboard["widgets"]:
        x, y, width, height = (widget[name] for name in ("x", "y", "width", "height"))
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert x + width <= 24
        assert not cells & taken
        taken |= cells


def test_the_tables_of_the_log_read_fields_that_it_has_from_every_function_that_calls_models(dashboard, resources):
    line = fields_of(record())
    known = {*line, *(f"attempts.{number}.{name}" for number in (0, 1) for name in line["attempts"][0])}
    functions = {name: found["Properties"] for name, found in resources.items() if found["Type"] == "AWS::Lambda::Function"}
    calling = {f"<{function['LoggingConfig']['LogGroup']['Ref']}>" for function in functions.values() if function["Timeout"] == 900}
    queries = [widget["properties"]["query"] for widget in dashboard["widgets"] if widget["type"] == "log"]
    assert len(queries) == 2
    for query in queries:
        assert set(re.findall(r"SOURCE '([^']+)'", query)) == calling
        rest = re.sub(r"SOURCE '[^']+' \| |'[^']*'| as \w+", "", query)
        words = set(re.findall(r"@?[a-z_]+(?:\.\w+)*", re.sub(r"sort failures", "", rest)))
        commands = {"filter", "stats", "count", "latest", "by", "sort", "desc", "display", "limit", "and", "@timestamp", "message"}
        assert words - commands <= known
