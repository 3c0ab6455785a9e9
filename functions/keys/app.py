"""POST /key/generate, /key/update, /key/block, /key/unblock, /key/delete, /key/regenerate; GET /key/info, /key/list."""

from haimaker.edge import Edge
from haimaker.gateway import Gateway

OPERATIONS = (
    "key_generate",
    "key_update",
    "key_block",
    "key_unblock",
    "key_delete",
    "key_regenerate",
    "key_info",
    "key_list",
)

gateway = Gateway.from_environment()
handler = Edge(gateway, serves=OPERATIONS)
