"""POST /key/generate, /key/update, /key/block, /key/unblock, /key/delete, /key/regenerate, /key/import; GET /key/info, /key/list.
POST /team/new, update, delete, block, unblock; GET /team/info, list; the same of /customer, or /end_user."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

OPERATIONS = (
    "key_generate",
    "key_update",
    "key_block",
    "key_unblock",
    "key_delete",
    "key_regenerate",
    "key_import",
    "key_info",
    "key_list",
    "team_change",
    "team_show",
    "end_user_change",
    "end_user_show",
)

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=OPERATIONS)
