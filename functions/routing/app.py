"""POST /route/simulate and /auto-router/...: where a request would go, and the routers that decide it.
GET /audit, /refusals: who changed what, who was refused and why.
GET /providers; POST /providers/test, /providers/credentials: which are on, whether they take their key, and a new one."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

OPERATIONS = (
    "route_simulate",
    "auto_router_new",
    "auto_router_list",
    "auto_router_info",
    "auto_router_update",
    "auto_router_delete",
    "auto_router_rule",
    "auto_router_rule_delete",
    "auto_router_reorder",
    "auto_router_simulate",
    "audit_list",
    "refusals_list",
    "providers_list",
    "providers_test",
    "providers_credentials",
)

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=OPERATIONS)
