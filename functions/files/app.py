"""POST, GET and DELETE /v1/files, GET /v1/files/{id}/content; POST /v1/uploads and what completes one: files that clients keep."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

OPERATIONS = (
    *("files_create", "files_list", "files_retrieve", "files_content", "files_delete"),
    *("uploads_create", "uploads_add_part", "uploads_complete", "uploads_cancel"),
)

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=OPERATIONS, streams=True)
