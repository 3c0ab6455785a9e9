"""GET /spend/logs, /spend/report, /spend/keys, /v1/generation."""

from haimaker.edge import Edge
from haimaker.gateway import Gateway

OPERATIONS = ("spend_logs", "spend_report", "spend_keys", "generation")

gateway = Gateway.from_environment()
handler = Edge(gateway, serves=OPERATIONS)
