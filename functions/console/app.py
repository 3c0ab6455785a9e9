"""GET /console and its files."""

from haimaker.aws_lambda.handler import Edge
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = Edge(gateway, serves=("console",))
