"""GET /v1/generation/content: what was asked and answered, of a request whose key has its content kept, for that key and for
administrators. Of the local gateway only: the stack's functions may put objects into its bucket, and read none.

The name is OpenRouter's. https://openrouter.ai/docs/api-reference/generations/list-generation-content
"""

from typing import TYPE_CHECKING

from haimaker.accounts.errors import check_usable
from haimaker.api.account_filters import check_known
from haimaker.api.spend import OF_ONE, find_record
from haimaker.blobs import BlobError
from haimaker.http.errors import NotFoundError, ServiceUnavailableError
from haimaker.http.values import JSON, Request
from haimaker.store import Account

if TYPE_CHECKING:
    from haimaker.services import Services

WRITTEN_S = 2.0
"""How long to wait for what is still being written."""


def show_content(services: "Services", caller: Account, request: Request, now_s: float) -> JSON:
    """Neither a viewer sees it, who sees what was spent, nor a team's administrator. Raises BadRequestError, NotFoundError,
    ServiceUnavailableError."""
    check_usable(caller, now_s)
    check_known(request.query, OF_ONE)
    record = find_record(services.store, request)
    if record is None or (not caller.has_been(record.account_id) and caller.role != "admin"):
        raise NotFoundError("There is no such request of this key.", param="id", code="generation_not_found")
    try:
        entry = services.content.read(record)
        if entry is None:
            services.content.finish(WRITTEN_S)
            entry = services.content.read(record)
    except BlobError as error:
        raise ServiceUnavailableError("What was kept can't be read.", code="content_unavailable") from error
    if entry is None:
        raise NotFoundError("No prompt and no answer of this request is kept here.", param="id", code="content_not_kept")
    return {"data": entry}
