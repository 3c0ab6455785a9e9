"""`python -m bench.lambda_cost`: dollars per million requests on Lambda, and from how many a month a container, or Lambda's managed
instances, are cheaper. Pure.

List prices of us-east-1 for arm64, without free tiers:
https://aws.amazon.com/lambda/pricing/  https://aws.amazon.com/api-gateway/pricing/  https://aws.amazon.com/dynamodb/pricing/on-demand/
https://aws.amazon.com/cloudwatch/pricing/  https://aws.amazon.com/fargate/pricing/  https://aws.amazon.com/elasticloadbalancing/pricing/
https://aws.amazon.com/ec2/pricing/on-demand/
"""

from collections.abc import Iterator

GB_SECOND_USD = 0.0000133334
INVOCATION_USD = 0.20e-6
REST_REQUEST_USD = 3.50e-6
WRITE_UNIT_USD = 0.625e-6
LOG_GB_USD = 0.50
CONTAINER_HOUR_USD = 0.5 * 0.03238 + 1.0 * 0.00356
"""Half a vCPU and 1 GB, on Fargate."""
BALANCER_HOUR_USD = 0.0225 + 0.008
"""With one unit of capacity."""
INSTANCE_HOUR_USD = 0.0816 * 1.15
"""An m7g.large with two processors, on demand, and Lambda's fee of 15 % of that, as a transcript of its page of prices had it in
September 2026; its requests cost what others do. EC2's page shows an instance's price by script only: look there before you rely
on it."""
INSTANCES = 3
"""The least: one environment of a function in each of three zones."""
REQUESTS_AT_ONCE = INSTANCES * 2 * 64
"""An environment to a processor, with as many requests as the template has."""
HOURS_A_MONTH = 730

REQUEST_WRITE_UNITS = 1 + 3 + 1
"""Admission, the record with its two indexes, settling: items under 1 KB each."""
MARK_WRITE_UNITS = 2
TOTALS = 6
"""Items of daily totals that a record with one tag adds to; a unit costs double in a transaction."""
LOG_BYTES = 2_200
"""Our line, with its metrics, and the three that Lambda writes of an invocation."""

MEMORIES_MB = (256, 512, 1024, 2048)
WAITS_S = (1, 5, 20, 60)


def waiting_usd(memory_mb: int, wait_s: float) -> float:
    """Lambda's part of one request: it is paid while the model answers."""
    return INVOCATION_USD + wait_s * memory_mb / 1024 * GB_SECOND_USD


def books_usd(records_per_batch: float) -> float:
    """DynamoDB's part: the busier the gateway, the more records share one addition to the totals."""
    return WRITE_UNIT_USD * (REQUEST_WRITE_UNITS + MARK_WRITE_UNITS + 2 * TOTALS / records_per_batch)


def logs_usd() -> float:
    return LOG_BYTES / 10**9 * LOG_GB_USD


def container_month_usd() -> float:
    return (CONTAINER_HOUR_USD + BALANCER_HOUR_USD) * HOURS_A_MONTH


def instances_month_usd() -> float:
    return INSTANCES * INSTANCE_HOUR_USD * HOURS_A_MONTH


def break_even_requests(memory_mb: int, wait_s: float) -> float:
    """Requests a month at which one container, always on, costs what Lambda does; books and logs cost the same in both."""
    return container_month_usd() / waiting_usd(memory_mb, wait_s)


def break_even_on_instances(memory_mb: int, wait_s: float) -> float:
    """The same of managed instances, where an invocation still costs what it does on Lambda."""
    return instances_month_usd() / (waiting_usd(memory_mb, wait_s) - INVOCATION_USD)


def lines() -> Iterator[str]:
    yield "| memory | " + " | ".join(f"{wait_s} s wait" for wait_s in WAITS_S) + " |"
    yield "| --- |" + " ---: |" * len(WAITS_S)
    for memory_mb in MEMORIES_MB:
        cells = (_cell(memory_mb, wait_s) for wait_s in WAITS_S)
        yield f"| {memory_mb} MB | " + " | ".join(cells) + " |"
    yield ""
    yield "Lambda, dollars per million requests; from how many requests a month one container behind a load balancer"
    yield f"(${container_month_usd():.2f} a month) is cheaper; and from how many {INSTANCES} managed instances are, which bear"
    yield f"{REQUESTS_AT_ONCE} requests at once (${instances_month_usd():.2f} a month, without a NAT gateway)."
    yield "To be added per million in any case, but for the REST API:"
    yield f"DynamoDB ${1e6 * books_usd(100):.2f} (busy) to ${1e6 * books_usd(1):.2f} (a request now and then),"
    yield f"logs ${1e6 * logs_usd():.2f}, REST API ${1e6 * REST_REQUEST_USD:.2f} (function URL: nothing)."


def _cell(memory_mb: int, wait_s: float) -> str:
    usd, container = 1e6 * waiting_usd(memory_mb, wait_s), break_even_requests(memory_mb, wait_s) / 1e6
    return f"${usd:.2f}, {container:.2f} M, {break_even_on_instances(memory_mb, wait_s) / 1e6:.2f} M"


if __name__ == "__main__":
    print("\n".join(lines()))
