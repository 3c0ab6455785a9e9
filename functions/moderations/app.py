"""POST /v1/moderations."""

from haimaker.edge import Edge
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = Edge(gateway, serves=("moderations", "health"), streams=True)
