"""What CloudWatch makes of metrics: datapoints of what functions print and of what AWS itself counts, and which alarms ring then.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarm-evaluation

Everything happens in one period here; an alarm that wants several is given the same again, as for a fault that lasts.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from haimaker.http.values import JSON
from tests.support.roles import Template

Metric = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name and dimensions."""


@dataclass
class Watch:
    """The metrics of one stack."""

    template: Template
    values: dict[Metric, list[float]] = field(default_factory=lambda: defaultdict(list))

    def read(self, output: str) -> None:
        """What a function printed: metrics are in its lines, as the embedded format says."""
        for line in output.splitlines():
            entry = json.loads(line) if line.startswith("{") else {}
            for directive in entry.get("_aws", {}).get("CloudWatchMetrics", ()):
                for names in directive["Dimensions"]:
                    dimensions = {name: entry[name] for name in names}
                    for metric in directive["Metrics"]:
                        self.count(directive["Namespace"], metric["Name"], entry[metric["Name"]], dimensions)

    def count(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
        """A datapoint, such as one that AWS itself writes."""
        self.values[namespace, name, frozenset(dimensions.items())].append(value)

    def ringing(self) -> set[str]:
        """The resources of the alarms that are on, all together included."""
        resources = self.template.document["Resources"]
        kinds = {name: found["Type"] for name, found in resources.items()}
        alarms = [name for name, kind in kinds.items() if kind == "AWS::CloudWatch::Alarm"]
        on = {name for name in alarms if self._is_on(resources[name]["Properties"])}
        for name, kind in kinds.items():
            if kind == "AWS::CloudWatch::CompositeAlarm":
                rule = resources[name]["Properties"]["AlarmRule"]["Fn::Sub"]
                assert re.fullmatch(r'ALARM\("\$\{\w+\}"\)( OR ALARM\("\$\{\w+\}"\))*', rule), rule
                on |= {name} if on & set(re.findall(r"\{(\w+)\}", rule)) else set()
        return on

    def _is_on(self, alarm: JSON) -> bool:
        assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanThreshold", "notBreaching")
        if "Metrics" in alarm:
            shown, *others = alarm["Metrics"]
            known = {one["Id"]: self._statistic(one["MetricStat"]["Metric"], one["MetricStat"]["Stat"]) for one in others}
            formula = re.sub(r"FILL\((\w+), 0\)", r"(\1 or 0)", shown["Expression"])
            asked = re.fullmatch(r"IF\((.+?), (.+), (.+)\)", formula)
            if asked and known["requests"] is None:
                return False
            if asked:
                condition, then, otherwise = asked.groups()
                formula = then if eval(condition, dict(known)) else otherwise  # our own template's
            value = eval(formula, dict(known))
        else:
            value = self._statistic(alarm, alarm["Statistic"])
        return value is not None and value > float(str(self.template.value(alarm["Threshold"])))

    def _statistic(self, metric: JSON, statistic: str) -> float | None:
        dimensions = frozenset((one["Name"], str(self.template.value(one["Value"]))) for one in metric.get("Dimensions", ()))
        values = self.values.get((metric["Namespace"], metric["MetricName"], dimensions))
        if not values:
            return None
        return {"Sum": sum(values), "Average": sum(values) / len(values), "Maximum": max(values)}[statistic]
