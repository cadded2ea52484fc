"""Who shares an identity with somebody and is not the one kept: SQL over narrow rows.

Of a group on one side the first by cap order is kept; of a group on both sides nobody. A target user
who shares an identity with any held-out profile, qualified or not, is a duplicate too, so that no
held-out person is written to through a second profile. Case makes no second person, nor does the way a letter is put together.
"""


def folded(identity: str) -> str:
    """Return SQL for an identity as it is compared: without case, its letters composed.

    Small letters alone are not enough: of a capital sigma there are two, and a dotted capital I is made of
    two characters or of one. Where every character is one byte, they are.
    """
    composed = f"lower(nfc_normalize(upper({identity})))"
    return f"CASE WHEN strlen({identity}) = length({identity}) THEN lower({identity}) ELSE {composed} END"


def digest(identity: str) -> str:
    """Return SQL for what stands for an identity: 16 bytes, whatever its length; NULL for none."""
    return f"md5_number({folded(identity)})"


def duplicates_sql(table: str, digests: list[str]) -> str:
    """Return SQL for ``user_code, astride`` of every duplicate, each once: whether the other side has the identity.

    Args:
        table: one row a user who is qualified or held out: ``user_code, qualified, held_by, cap_key``
            and the digests.
        digests: its columns with an identity each.
    """
    each = [_duplicates(table, name) for name in digests]
    if not each:
        return "SELECT NULL::UINTEGER AS user_code, false AS astride WHERE false"
    return f"SELECT user_code, bool_or(both_sides) AS astride FROM ({' UNION ALL '.join(each)}) GROUP BY user_code"


def _duplicates(table: str, name: str) -> str:
    """Only rows whose identity is there twice are grouped and ordered."""
    group = f"OVER (PARTITION BY {name})"
    order = f"OVER (PARTITION BY {name}, qualified ORDER BY cap_key, user_code)"
    return (
        f"SELECT user_code, both_sides FROM (SELECT user_code, qualified, "
        f"CASE WHEN held_by IS NOT NULL THEN bool_or(qualified AND held_by IS NULL) {group} "
        f"ELSE bool_or(held_by IS NOT NULL) {group} END AS both_sides, row_number() {order} AS place "
        f"FROM {table} SEMI JOIN (SELECT {name} FROM {table} WHERE {name} IS NOT NULL "
        f"GROUP BY {name} HAVING count(*) > 1) USING ({name})) WHERE qualified AND (both_sides OR place > 1)"
    )
