"""What a write to an account's item changes, and under which condition; `tables.py` has the names.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

RESERVE = (
    "SET remaining = remaining - :amount, free_slots = free_slots - :one, holds.#rid = :held, "
    "#rpm = if_not_exists(#rpm, rpm_limit) - :one, #tpm = if_not_exists(#tpm, tpm_limit) - :tokens"
)
ALLOWS_REQUEST = (
    "attribute_exists(pk) AND attribute_not_exists(holds.#rid) AND version = :version AND blocked = :false "
    "AND expires_s > :now AND window_end_s > :now AND free_slots >= :one "
    "AND ((attribute_not_exists(#rpm) AND rpm_limit >= :one) OR #rpm >= :one)"
)
RESERVE_ANSWERED = "SET remaining = remaining - :amount, free_slots = free_slots - :one, holds.#rid = :held"
IS_THERE = "attribute_exists(pk) AND attribute_not_exists(holds.#rid) AND window_end_s > :now"
ALLOWS_AMOUNT = " AND remaining >= :amount"
ALLOWS_TOKENS = " AND ((attribute_not_exists(#tpm) AND tpm_limit >= :tokens) OR #tpm >= :tokens)"
GIVE_BACK = (
    "SET remaining = remaining + :amount, free_slots = free_slots + :one, #rpm = if_not_exists(#rpm, rpm_limit) + :one, "
    "#tpm = if_not_exists(#tpm, tpm_limit) + :tokens"
)
HELD = "attribute_exists(holds.#rid)"
CHARGE = "SET remaining = remaining + :returned, total_spend = total_spend + :cost, free_slots = free_slots + :one"
CORRECT = "SET remaining = remaining - :counted, total_spend = total_spend + :difference"
RENEW = "SET remaining = remaining + :returned, window_end_s = :window_end_s"
RENEW_MODEL = "SET #b0 = #b0 - :returned, #e0 = :window_end_s"
EXISTS = "attribute_exists(pk)"
