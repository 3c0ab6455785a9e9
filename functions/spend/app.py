"""GET /spend/logs, /spend/report, /spend/keys, /v1/generation; POST /spend/calculate."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

OPERATIONS = ("spend_logs", "spend_report", "spend_keys", "spend_calculate", "generation")

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=OPERATIONS)
