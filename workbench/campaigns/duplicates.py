"""Who shares an identity with somebody and is not the one kept: SQL over narrow rows.

Of a group on one side the first by cap order is kept; of a group on both sides nobody. A target user
who shares an identity with any held-out profile, qualified or not, is a duplicate too, so that no
held-out person is written to through a second profile. Case makes no second person, nor does the way a letter is put together.

Of most users nobody else has the identity. They are told by four bytes each; only those whose four bytes are
there twice are compared by the whole identity.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl


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


def mark(identity: str) -> str:
    """Return SQL for four bytes that equal identities have in common, and few others; NULL for none."""
    return f"CASE WHEN {identity} IS NOT NULL THEN (hash({folded(identity)}) >> 32)::UINTEGER END"


def suspects(marks: Sequence[pl.DataFrame], names: Sequence[str]) -> pl.Series:
    """Return ``user_code`` of all who may share an identity: ascending, each once.

    Args:
        marks: parts of ``user_code`` and the marks of each user's identities.
        names: the columns with a mark.
    """
    found = [pl.Series("user_code", [], dtype=pl.UInt32)]
    for name in names:
        each = np.concatenate([part[name].drop_nulls().to_numpy() for part in marks])
        each.sort()
        twice = pl.Series(np.unique(each[1:][each[1:] == each[:-1]]), dtype=pl.UInt32)
        found += [part["user_code"].filter(part[name].is_in(twice.implode())) for part in marks]
    return pl.concat(found).unique().sort()


def duplicates_sql(table: str, digests: Sequence[str]) -> str:
    """Return SQL for ``user_code, astride`` of every duplicate, each once: whether the other side has the identity.

    Args:
        table: one row a user who is qualified or held out and may share an identity: ``user_code,
            qualified, held_by, cap_key`` and the digests.
        digests: its columns with an identity each; at least one.
    """
    each = " UNION ALL ".join(_duplicates(table, name) for name in digests)
    return f"SELECT user_code, bool_or(both_sides) AS astride FROM ({each}) GROUP BY user_code"


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
