"""The dashboard and the alarms of the translated template: on what the code counts and logs, and on nothing else."""

import json
import re
import time
import uuid
from pathlib import Path

import pytest

from haimaker.observability import metrics
from haimaker.observability.metrics import embed, record_counts
from haimaker.observability.observer import fields_of
from haimaker.store import Account, Record
from haimaker.store.tables import record_item, to_attributes
from tests.support.alarms import Watch
from tests.support.builders import record
from tests.support.openai_wire import plays_openai
from tests.support.reply import Reply
from tests.support.roles import Template
from tests.support.stack import TABLES, chat_event

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


def test_the_alarms_that_every_stack_has_are_within_those_that_are_free(resources, alarms):
    """Ten metrics of alarms: https://aws.amazon.com/cloudwatch/pricing/; ours are those that are counted over all operations."""
    free = [found for name, alarm in alarms.items() if "Condition" not in resources[name] for found in of_alarm(alarm)]
    assert len(free) == 10
    ours = {name for namespace, name, _, stat in free if (namespace, stat) == (metrics.NAMESPACE, "Sum")}
    assert ours == set(metrics.OF_THE_SERVICE)
    assert all(dimensions == SERVICE for namespace, _, dimensions, _ in free if namespace == metrics.NAMESPACE)
    assert {resources[name].get("Condition") for name in alarms} == {None, "HasMoreAlarms", "HasBatches"}
    assert resources["UnwellAlarm"]["Condition"] == "HasMoreAlarms"


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
    assert template["Parameters"]["AlarmEmail"]["Default"] == template["Parameters"]["AlarmTopicArn"]["Default"] == ""
    topic = resources["AlarmTopic"]
    assert topic["Condition"] == "HasAlarmEmail"
    assert topic["Properties"]["Subscription"] == [{"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}]
    nothing = {"Ref": "AWS::NoValue"}
    sent = [
        {"Fn::If": ["HasAlarmEmail", {"Ref": "AlarmTopic"}, nothing]},
        {"Fn::If": ["HasAlarmTopicArn", {"Ref": "AlarmTopicArn"}, nothing]},
    ]
    for alarm in (*alarms.values(), resources["UnwellAlarm"]["Properties"]):
        assert (alarm["AlarmActions"], alarm["OKActions"]) == (sent, sent)


def searched(dashboard):
    for widget in dashboard["widgets"]:
        for (metric,) in widget["properties"].get("metrics", ()):
            yield re.fullmatch(r"SEARCH\('(.*)', '(\w+)', (\d+)\)", metric["expression"])


def test_the_dashboard_shows_what_is_counted_and_all_of_it(dashboard, resources):
    shown = set()
    *counted, queues = searched(dashboard)
    for found in counted:
        search = re.fullmatch(r'\{(.*)\} service="stack-1" MetricName=(.*)', found[1])
        assert search[1].split(",") == [metrics.NAMESPACE, *metrics.DIMENSIONS]
        shown |= set(re.findall(r'"(\w+)"', search[2]))
        assert found[2] in ("Sum", "p50", "p95")
    assert shown == set(metrics.METRICS) - {"Errors", "Faults", "StoreProblems"}, "which are sums of the classes"
    assert resources["GatewayDashboard"]["Condition"] == "HasDashboard"
    names = [substituted(resources[name]["Properties"]["QueueName"]["Fn::Sub"]) for name in ("BatchQueue", "BatchFailures")]
    assert re.findall(r'"([\w-]+)"', queues[1]) == [*names, "ApproximateNumberOfMessagesVisible"]


def test_the_dashboard_shows_the_state_of_every_alarm_that_is_always_there(dashboard, alarms, resources):
    shown = dashboard["widgets"][0]["properties"]["alarms"]
    assert sorted(shown) == sorted(f"<{name}.Arn>" for name in alarms if "Condition" not in resources[name])


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
    calling = {
        f"<{function['LoggingConfig']['LogGroup']['Ref']}>"
        for name, function in functions.items()
        if function["Timeout"] == 900 and name not in ("BatchesFunction", "FilesFunction")
    }
    queries = [widget["properties"]["query"] for widget in dashboard["widgets"] if widget["type"] == "log"]
    assert len(queries) == 2
    for query in queries:
        assert set(re.findall(r"SOURCE '([^']+)'", query)) == calling
        rest = re.sub(r"SOURCE '[^']+' \| |'[^']*'| as \w+", "", query)
        words = set(re.findall(r"@?[a-z_]+(?:\.\w+)*", re.sub(r"sort failures", "", rest)))
        commands = {"filter", "stats", "count", "latest", "by", "sort", "desc", "display", "limit", "and", "@timestamp", "message"}
        assert words - commands <= known


@pytest.fixture
def name():
    """The stack's; each logger of this process is known by it, with where it writes."""
    return f"stack-{uuid.uuid4().hex}"


@pytest.fixture
def watch(stack, template, name):
    return Watch(Template(template, {"AWS::StackName": name, "AccountsTable": "accounts", "RecordsTable": "records"}))


def of_function(watch, function):
    return {"FunctionName": watch.template.name(function)}


@pytest.fixture
def asked(stack, watch, name, capsys):
    """The statuses of answers; AWS counts those that are 5XX, and what the function prints is read."""

    def asked(*events):
        function, statuses = stack.load("chat_completions", HAIMAKER_SERVICE=name), []
        for event in events:
            statuses.append(function.ask(event).status)
            watch.count("AWS/ApiGateway", "5XXError", float(statuses[-1] >= 500), {"ApiName": name})
        watch.read(capsys.readouterr().out)
        return statuses

    return asked


def test_nothing_rings_while_all_is_well(stack, watch, asked):
    assert set(asked(*[chat_event(stack.key())] * 12)) == {200}
    assert watch.ringing() == set()


def test_a_provider_that_fails_rings(stack, watch, asked):
    stack.upstream.answers(Reply.json(500, {"error": {"message": "no"}}))
    asked(*[chat_event(stack.key())] * 12)
    assert watch.ringing() == {"ErrorRateAlarm", "ApiFailuresAlarm", "UnwellAlarm"}


def test_what_costs_too_much_rings(stack, watch, asked):
    usage = {"prompt_tokens": 10, "completion_tokens": 20_000_000, "total_tokens": 20_000_010}
    stack.upstream.answers(plays_openai(usage=usage))
    asked(chat_event(stack.key()))
    assert "CostAlarm" in watch.ringing()


def test_a_model_without_a_price_rings(stack, watch, asked):
    asked(chat_event(stack.key(), model="openai/nobody-knows"))
    assert watch.ringing() == {"CostUnknownAlarm"}


def test_a_budget_that_is_reached_rings(stack, watch, asked):
    asked(chat_event(stack.key(soft_budget_nanousd=1)))
    assert watch.ringing() == {"BudgetAlarm"}


def test_every_alarm_is_rung_by_a_test_that_breaks_what_it_is_for(alarms):
    text = Path(__file__).read_text("utf-8")
    said = [*re.findall(r"watch\.ringing\(\) [=>]= \{([^}]+)\}", text), *re.findall(r'assert ("\w+") in watch\.ringing\(\)', text)]
    assert {name for names in said for name in re.findall(r'"(\w+)"', names)} == {*alarms, "UnwellAlarm"}


def test_a_request_that_can_not_be_settled_rings(stack, watch, asked):
    stack.front.breaks("PutItem", "failing")
    assert asked(chat_event(stack.key())) == [200]
    assert watch.ringing() == {"StoreProblemsAlarm", "UnwellAlarm"}


@pytest.mark.parametrize("action", ["dynamodb:UpdateItem", "dynamodb:PutItem", "ssm:GetParameters"])
def test_a_role_that_lacks_something_rings(stack, watch, asked, action):
    role = stack.role("chat_completions")
    role.allowances = tuple(one for one in role.allowances if one.action != action)
    asked(chat_event(stack.key()))
    assert {call[0] for call in role.refused} == {action}
    assert watch.ringing() >= {"StoreProblemsAlarm", "UnwellAlarm"}
    role.refused.clear()


def test_a_gateway_that_does_not_start_rings(stack, watch, name):
    """Lambda counts an error for each invocation, API Gateway a 502; our code says nothing."""
    function = stack.function("chat_completions", HAIMAKER_ACCOUNTS_TABLE="")
    function.wait_for("init/error")
    for _ in range(3):
        watch.count("AWS/Lambda", "Errors", 1, of_function(watch, "ChatCompletionsFunction"))
        watch.count("AWS/ApiGateway", "5XXError", 1, {"ApiName": name})
    watch.read(function.output())
    assert watch.ringing() == {"ChatFailuresAlarm", "ApiFailuresAlarm", "UnwellAlarm"}


def test_lost_requests_ring(stack, watch, name):
    """The stream tells the function for totals of a record that says so."""
    account = Account("key#lost", "lost", 1)
    assert stack.store.put(account)
    lost = record_item(Record(f"lost-{time.time()}", account.id, time.time(), "lost", 7, {"deadline_s": 1}))
    stack.store.dynamo.call("PutItem", {"TableName": TABLES["records"], "Item": to_attributes(lost)})
    function = stack.function("rollup", HAIMAKER_SERVICE=name)
    function.invoke({"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": to_attributes(lost)}}]}).buffered()
    function.wait_for("next", 2)
    watch.read(function.output())
    assert watch.ringing() == {"HoldsLostAlarm"}


def test_totals_that_can_not_be_kept_ring(stack, watch):
    """Lambda gives a batch that failed for twelve hours to the queue."""
    item = to_attributes(record_item(Record("r-late", "key#late", time.time(), "ok", 7, {"tags": []})))
    stack.front.breaks("TransactWriteItems", "failing")
    function = stack.function("rollup")
    function.invoke({"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": item}}]}).buffered()
    function.wait_for("error ends invocation-1")
    watch.count(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", 1, {"QueueName": watch.template.attribute("RollupFailures", "QueueName")}
    )
    watch.count("AWS/Lambda", "IteratorAge", 43_200_000, of_function(watch, "RollupFunction"))
    assert watch.ringing() == {"RollupFailuresAlarm", "StreamAgeAlarm"}


def test_what_failed_of_a_batch_rings(watch):
    queue = {"QueueName": watch.template.attribute("BatchFailures", "QueueName")}
    watch.count("AWS/SQS", "ApproximateNumberOfMessagesVisible", 1, queue)
    assert watch.ringing() == {"BatchFailuresAlarm"}


def test_what_aws_refuses_for_load_rings(watch):
    watch.count("AWS/Lambda", "Throttles", 3, of_function(watch, "ChatCompletionsFunction"))
    watch.count("AWS/Lambda", "ConcurrentExecutions", 900, {})
    for table in ("accounts", "records"):
        watch.count("AWS/DynamoDB", "WriteThrottleEvents", 100, {"TableName": table})
    assert watch.ringing() == {
        "ThrottlesAlarm",
        "ConcurrencyAlarm",
        "AccountsThrottledAlarm",
        "RecordsThrottledAlarm",
        "UnwellAlarm",
    }


def test_a_price_that_charges_nothing_rings(watch, name):
    """That is a defect, which no request brings about: the line that would tell of it is written by the observer itself."""
    line = embed(record_counts(Record("r", "key#1", 0.0, "ok", 0, {**record().detail, "unpriced": True, "cost_usd": 0.0})), (), 0.0)
    watch.read(json.dumps({"service": name, "operation": "chat", **line}))
    assert watch.ringing() == {"UnpricedAlarm"}
