"""POST and GET /v1/batches and /v1/messages/batches, and what is asked of one: files of requests, answered while nobody waits.
GET /batch/list and POST /batch/{id}/cancel: those of others, for who may see them."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

OPERATIONS = (
    *("batches_create", "batches_list", "batches_retrieve", "batches_cancel", "batches_overview", "batches_overview_cancel"),
    *("messages_batches_create", "messages_batches_list", "messages_batches_retrieve"),
    *("messages_batches_cancel", "messages_batches_delete", "messages_batches_results"),
)

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=OPERATIONS, streams=True)
