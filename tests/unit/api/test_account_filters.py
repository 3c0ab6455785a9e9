"""Which keys a list is asked for, in which order, and what it refuses."""

import pytest

from haimaker.api.account_filters import read_account_query
from haimaker.http.errors import BadRequestError
from haimaker.store import Account, Balance

NOW_S = 1_000.0


def balance(number: int, spend: int = 0, held: int = 0, **fields) -> Balance:
    account = Account(f"key#{number:064x}", f"sk-hm-{number}...abcd", 100 + number, **fields)
    return Balance(account, spend, held, spend, 10**11)


KEYS = [
    balance(1, 5, alias="Ada", team_id="research", tags=("dev",), budget_nanousd=10),
    balance(2, 9, alias="bob", user_id="bob@example.com", blocked=True),
    balance(3, 1, 8, team_id="Product", expires_s=500, budget_nanousd=10),
    balance(4, 7, alias="ada", tags=("nightly",), budget_nanousd=100),
]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [1, 2, 3, 4]),
        ({"page": "2", "size": "7", "return_full_object": "true"}, [1, 2, 3, 4]),
        ({"key_alias": "ada"}, [4]),
        ({"team_id": "research"}, [1]),
        ({"user_id": "bob@example.com"}, [2]),
        ({"key_hash": f"{3:064x}"}, [3]),
        ({"search": "ADA"}, [1, 4]),
        ({"search": "prod"}, [3]),
        ({"search": "night"}, [4]),
        ({"search": "0" * 63 + "2"}, [2]),
        ({"search": "none of them"}, []),
        ({"status": "active"}, [1, 4]),
        ({"status": "blocked"}, [2]),
        ({"status": "expired"}, [3]),
        ({"sort_order": "desc"}, [4, 3, 2, 1]),
        ({"sort_by": "spend", "sort_order": "desc"}, [2, 4, 1, 3]),
        ({"sort_by": "key_alias"}, [1, 4, 2, 3]),
        ({"sort_by": "used", "sort_order": "desc"}, [3, 1, 4, 2]),
        ({"sort_by": "max_budget"}, [1, 3, 4, 2]),
        ({"sort_by": "expires", "status": "expired"}, [3]),
        ({"search": ""}, [1, 2, 3, 4]),
    ],
)
def test_keys_that_fit_in_their_order(query, numbers):
    found = read_account_query(query).select(KEYS, NOW_S)
    assert [each.account.created_s - 100 for each in found] == numbers


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ({"alias": "ada"}, "alias", "unknown_parameter"),
        ({"organization_id": "x"}, "organization_id", "unknown_parameter"),
        ({"status": "gone"}, "status", "invalid_value"),
        ({"sort_by": "name"}, "sort_by", "invalid_value"),
        ({"sort_order": "down"}, "sort_order", "invalid_value"),
    ],
)
def test_what_it_does_not_know_is_refused(query, param, code):
    with pytest.raises(BadRequestError) as raised:
        read_account_query(query)
    assert (raised.value.param, raised.value.code) == (param, code)
