"""Who is held out, and who comes first under a cap: salted md5 text (``store.salted``).

A user is held out when the first 8 hex digits of the md5 are below the share as 8 hex digits
(0.1 is ``1999999a``), compared as text. Control is sticky, because neither a campaign's id nor a group's
salt ever changes; the order under a cap is a new one in each run. A user in several groups is held out by
the first of them; salts are independent, so the share of a later one is its share of the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.store.salted import DIGITS as CONTROL_DIGITS
from workbench.store.salted import key, threshold

__all__ = [
    "CAMPAIGN", "CAP_DIGITS", "CONTROL_DIGITS", "SYSTEM", "Hold", "cap_key_sql", "cap_salt", "control_salt", "custom",
    "group_salt", "held_by_parameters", "held_by_sql", "key", "threshold",
]  # fmt: skip

CAP_DIGITS = 16
SYSTEM, CAMPAIGN = "system", "campaign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One group that holds users of a campaign out.

    Attributes:
        held_by: its label: ``system``, ``custom: NAME`` or ``campaign``.
        salt: what stands before the colon.
        share: of those whom no group before it holds out.
    """

    held_by: str
    salt: str
    share: float


def custom(name: str) -> str:
    """Return the label of a custom group.

    >>> custom("loyalty")
    'custom: loyalty'
    """
    return f"custom: {name}"


def control_salt(account_salt: str, campaign_id: str) -> str:
    """Return what stands before the colon for the control group of a campaign."""
    return f"{account_salt}/control/{campaign_id}"


def group_salt(account_salt: str, name: str) -> str:
    """Return what stands before the colon for a group of the account, unless another salt was given."""
    return f"{account_salt}/group/{name}"


def cap_salt(account_salt: str, run_id: str) -> str:
    """Return what stands before the colon for the order under a run's cap."""
    return f"{account_salt}/cap/{run_id}"


def cap_key_sql() -> str:
    """Return SQL over ``user_id`` for its place in the order under a cap: its digits as a number.

    Numbers of equally many hex digits sort as their texts do. ``$cap_salt`` is bound.
    """
    return f"('0x' || left(md5($cap_salt || ':' || user_id), {CAP_DIGITS}))::UBIGINT"


def held_by_sql(holds: Sequence[Hold], *, never: bool = False) -> str:
    """Return SQL over ``u`` (users) for the label of the first group that a user is in; NULL for none.

    Groups are asked in order, and a later one only about those whom no earlier one has. The values that
    it names are those of ``held_by_parameters``.
    """
    branches = ["WHEN list_contains($never, u.user_id) THEN NULL"] if never else []
    branches += [
        f"WHEN left(md5($salt_{n} || ':' || u.user_id), {CONTROL_DIGITS}) < $below_{n} THEN $held_by_{n}"
        for n in range(len(holds))
    ]
    return f"CASE {' '.join(branches)} END::VARCHAR" if holds else "NULL::VARCHAR"


def held_by_parameters(holds: Sequence[Hold], never: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return the bound values of ``held_by_sql``."""
    if not holds:
        return {}
    values: dict[str, Any] = {"never": list(never)} if never else {}
    for n, hold in enumerate(holds):
        values |= {f"salt_{n}": hold.salt, f"below_{n}": threshold(hold.share), f"held_by_{n}": hold.held_by}
    return values
