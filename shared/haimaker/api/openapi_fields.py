"""What the API's own description says of operations whose bodies no class of fields has, and of query parameters. Data.

The fields of a body are a shape, as those that client formats are checked by (`validation/shapes.py`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

from haimaker.api import (
    account_admin,
    account_filters,
    audit,
    batch_overview,
    batches,
    file_uploads,
    files,
    keys,
    message_batches,
    providers,
    refusals,
    spend,
    spend_filters,
    stored_responses,
)
from haimaker.api.accounts import CHANGES, END_USERS, SHOWS, TEAMS
from haimaker.store import account_query
from haimaker.store.totals import By
from haimaker.validation import field_types
from haimaker.validation.shapes import Shape


class Body(NamedTuple):
    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    """Neither absent nor null; of lists not empty either."""
    is_closed: bool = False
    """Whether a field that it does not name is refused."""
    media: str = "application/json"
    file: str = ""
    """The name of the form's file."""


FORM = "multipart/form-data"
LASTS: Shape = {"anchor": str, "seconds": int}
RULE: Shape = {
    **dict.fromkeys(("name", "model", "id"), str),
    **{key: [str] for key in ("examples", "keywords", "keys", "tags", "required_capabilities")},
    **dict.fromkeys(("match_threshold", "budget_used"), float),
    **dict.fromkeys(("initial_turn_only", "enabled"), bool),
    "metadata": dict,
    "rule_order": int,
}
ROUTER: Shape = {**dict.fromkeys(("router_name", "default_model", "embedding_model"), str), "rules": [RULE]}
SIMULATED: Shape = {"request": dict, "key": str, "operation": str, "headers": dict, "draw": str}
GOOGLES_EMBEDDING: Shape = {"model": str, "content": {"parts": [dict]}, "taskType": str, "title": str, "outputDimensionality": int}

OF_ALL: Shape = {"model": str, "stream": bool, "temperature": float, "top_p": float, "service_tier": str}
RESPONSES: Shape = {**OF_ALL, "user": str, **field_types.RESPONSES}
MESSAGES: Shape = {**OF_ALL, **field_types.MESSAGES}

BODIES: Mapping[str, Body] = {
    "responses": Body(RESPONSES, ("model",)),
    "responses_compact": Body(RESPONSES, ("model",)),
    "responses_input_tokens": Body(RESPONSES),
    "messages": Body(MESSAGES, ("model", "messages")),
    "messages_count_tokens": Body(MESSAGES, ("model", "messages")),
    "gemini_generate": Body(field_types.GEMINI, ("contents",)),
    "gemini_stream": Body(field_types.GEMINI, ("contents",)),
    "gemini_count_tokens": Body({**field_types.GEMINI, "generateContentRequest": field_types.GEMINI}),
    "gemini_embed": Body(GOOGLES_EMBEDDING, ("content",)),
    "gemini_batch_embed": Body({"requests": [GOOGLES_EMBEDDING]}, ("requests",)),
    "files_create": Body(dict.fromkeys(files.FORM_FIELDS, str), ("file", "purpose"), True, FORM, "file"),
    "uploads_create": Body(
        {"filename": str, "purpose": str, "bytes": int, "mime_type": str, "expires_after": LASTS}, file_uploads.FIELDS[:4], True
    ),
    "uploads_add_part": Body({}, ("data",), False, FORM, "data"),
    "uploads_complete": Body({"part_ids": [str], "md5": str}, ("part_ids",), True),
    "batches_create": Body(
        {"input_file_id": str, "endpoint": str, "completion_window": str, "metadata": dict, "output_expires_after": LASTS},
        batches.FIELDS[:3],
        True,
    ),
    "messages_batches_create": Body({"requests": [{"custom_id": str, "params": MESSAGES}]}, ("requests",)),
    "key_import": Body({"keys": [dict], "teams": [dict]}),
    "spend_calculate": Body(
        {"model": str, "messages": [dict], "prompt": (str, list), "usage": dict, "completion_response": dict, "max_tokens": int}
    ),
    "route_simulate": Body(SIMULATED),
    "auto_router_new": Body(ROUTER, ("router_name", "default_model")),
    "auto_router_update": Body(ROUTER),
    "auto_router_rule": Body(RULE),
    "auto_router_rule_delete": Body({"id": str}, ("id",)),
    "auto_router_reorder": Body({"rule_ids": [str]}, ("rule_ids",)),
    "auto_router_simulate": Body({**SIMULATED, "prompt": str, "messages": [dict]}),
    "providers_test": Body({"provider": str}, ("provider",)),
    "providers_credentials": Body({"variable": str, "value": str}, ("variable", "value")),
    "link_write": Body({}, (), False, "application/octet-stream"),
}
WITHOUT_BODY = (
    "responses_cancel", "batches_cancel", "batches_overview_cancel", "messages_batches_cancel", "uploads_cancel", "audio_uploads",
    "auto_router_delete", "sign_out",
)  # fmt: skip


class Account(NamedTuple):
    """What an operation on accounts takes of the fields that they have."""

    one_of: tuple[str, ...] = ()
    """The names by which a body says which accounts are meant: one of them has to be there."""
    lacks: tuple[str, ...] = ()


ONE_KEY = Account(("key",), ("keys", "grace_period"))
ACCOUNT_BODIES: Mapping[str, Account] = {
    "key_generate": Account((), ("key", "keys", "grace_period")),
    **dict.fromkeys(("key_update", "key_block", "key_unblock"), ONE_KEY),
    "key_delete": Account(("key", "keys"), ("grace_period",)),
    "key_regenerate": Account(("key",), ("keys",)),
    **{
        f"{operation} {action}": Account((one, several) if takes_several else (one,), () if takes_several else (several,))
        for operation, one, several in (
            ("team_change", "team_id", "team_ids"),
            ("end_user_change", "user_id", "user_ids"),
        )
        for action, takes_several in (("update", False), ("delete", True), ("block", True), ("unblock", True))
    },
    "team_change new": Account((), ("team_ids",)),
    "end_user_change new": Account(("user_id",), ("user_ids",)),
}
"""By operation, and its action where it has several."""
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "team_change": tuple(CHANGES),
    "team_show": tuple(SHOWS),
    "end_user_change": tuple(CHANGES),
    "end_user_show": tuple(SHOWS),
}
"""What may stand for `{action}` in a path."""

PAGE = ("limit", "order", "after")
NEEDED = {"generation": spend.OF_ONE, "generation_content": spend.OF_ONE}
QUERIES: Mapping[str, tuple[str, ...]] = {
    "responses_retrieve": tuple(name for name in stored_responses.QUERIES if name not in ("after", "before", "limit", "order")),
    "responses_input_items": ("after", "before", "include", "include[]", "limit", "order"),
    "models_list": ("limit", "after_id", "before_id"),
    "files_list": (*PAGE, "purpose", "page"),
    "batches_list": PAGE,
    "batches_overview": batch_overview.PARAMETERS,
    "messages_batches_list": ("limit", "after_id", "before_id"),
    "gemini_models_list": ("pageSize", "pageToken"),
    "gemini_stream": ("alt",),
    "key_info": keys.OF_INFO,
    "key_list": account_filters.OF_KEY_PAGES,
    "team_show info": TEAMS.id_parameters,
    "team_show list": account_filters.OF_PAGES,
    "end_user_show info": END_USERS.id_parameters,
    "end_user_show list": account_filters.OF_PAGES,
    "spend_logs": tuple(sorted({*spend_filters.OTHER_PARAMETERS, *spend_filters.MATCHES, *spend_filters.ALIASES})),
    "spend_report": spend.OF_REPORTS,
    "spend_keys": spend.OF_KEYS,
    "generation": spend.OF_ONE,
    "generation_content": spend.OF_ONE,
    "audit_list": audit.PARAMETERS,
    "refusals_list": refusals.PARAMETERS,
    "providers_list": providers.PARAMETERS,
    "sign_in_callback": ("code", "state", "iss", "error"),
}
"""By operation, and its action where it has several."""
GOOGLES_KEY = "key"
"""The parameter of Google's clients that has the key."""
PARAMETERS: Mapping[str, Mapping[str, object]] = {
    **{key: {"type": "integer", "minimum": 1} for key in ("limit", "page", "size", "top", "hours")},
    "pageSize": {"type": "integer", "minimum": 0},
    "files_list page": {"type": "string"},
    "pageToken": {"type": "string", "pattern": r"^\d{1,9}$"},
    **{key: {"type": "boolean"} for key in ("return_full_object", "all", "stream", "include_obfuscation")},
    "sort_by": {"type": "string", "enum": [*account_query.ORDERS, *spend_filters.SORTS[:1]]},
    "include[]": {"type": "array", "items": {"type": "string"}},
}
"""The schemas of parameters that are no texts; of one operation alone with its name before."""
MOST: Mapping[str, Mapping[str, int]] = {
    "audit_list": {"limit": spend_filters.MAX_ROWS},
    "batches_list": {"limit": batches.MOST_LISTED},
    "batches_overview": {"limit": batch_overview.MOST_LISTED},
    "files_list": {"limit": files.MOST_LISTED},
    "messages_batches_list": {"limit": message_batches.MOST_LISTED},
    "refusals_list": {"limit": refusals.MOST_LISTED},
    "responses_input_items": {"limit": stored_responses.MOST_LISTED},
    "spend_keys": {"limit": account_admin.MAX_LISTED},
    "spend_logs": {"limit": spend_filters.MAX_ROWS},
}
"""By operation: the most that a number may be, where that is less than a million."""
ORDER = {"order": ("asc", "desc")}
GROUPINGS = (*get_args(By), *(f"day,{name}" for name in get_args(By) if name != "day"))
CHOICES: Mapping[str, Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(("key_list", "team_show list", "end_user_show list"), account_filters.CHOICES),
    **dict.fromkeys(("files_list", "batches_list", "batches_overview", "responses_input_items"), ORDER),
    "spend_logs": {**ORDER, "sort_by": spend_filters.SORTS, "status": spend_filters.STATUSES},
    "spend_report": {"group_by": GROUPINGS},
    "audit_list": {"order": ("desc",)},
}
"""Likewise: the values that a parameter may have."""
