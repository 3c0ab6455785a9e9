"""Pages of a list as OpenAI's API has them: `after` an id, at most `limit`, in an `order`, and what comes back.

https://platform.openai.com/docs/api-reference/files/list
"""

from collections.abc import Sequence
from typing import NamedTuple

from haimaker.http.errors import BadRequestError, invalid_value
from haimaker.http.json import to_whole_number
from haimaker.http.values import JSON, Request

LONGEST_ID = 256


class Page(NamedTuple):
    after: str | None
    limit: int
    newest_first: bool


def read_page(request: Request, default: int, most: int) -> Page:
    """The page that a request asks for. Raises BadRequestError."""
    order, after = request.query.get("order"), request.query.get("after")
    limit = to_whole_number(request.query.get("limit", str(default)), 1, most)
    if limit is None:
        raise BadRequestError(f"Invalid value for 'limit': it is 1 to {most}.", param="limit", code="invalid_value")
    if order not in (None, "asc", "desc"):
        raise BadRequestError("Invalid value for 'order': it is 'asc' or 'desc'.", param="order", code="invalid_value")
    if after is not None and not (len(after) <= LONGEST_ID and after.isascii() and after.isprintable()):
        raise invalid_value("after", "the id of what the page before ended with")
    return Page(after or None, limit, order != "asc")


def to_list(found: Sequence[JSON], *, has_more: bool) -> JSON:
    first, last = (found[0]["id"], found[-1]["id"]) if found else (None, None)
    return {"object": "list", "data": list(found), "first_id": first, "last_id": last, "has_more": has_more}
