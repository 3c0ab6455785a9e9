"""GET /console and its files."""

from haimaker.edge import Edge
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = Edge(gateway, serves=("console",))
