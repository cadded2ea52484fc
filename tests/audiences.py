"""An account whose segment changes from day to day, and a campaign that keeps its audience at the receiver."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from accounts import SETTINGS, Account, make_account

from workbench import runs
from workbench.export.ledger import Kind
from workbench.export.sandbox import attributes
from workbench.runs import Plan, Receipt

# The receiver takes no event of over 30 days.
FIRST = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)
ATTRIBUTE = "in_winback"
GOLD = {"kind": "user", "predicate": {"property": "tier", "operator": "=", "values": ["gold"]}}
KEEPS = {"attribute": ATTRIBUTE}


def day(number: int) -> datetime:
    """The instant of an occurrence."""
    return FIRST + timedelta(days=number)


def gold(
    account: Account, users: Iterable[int], number: int, *, of: int = 6, **more: Mapping[int, Any]
) -> None:
    """From a day on, these users are gold, and the others of the first ``of`` are not."""
    chosen = set(users)
    rows = [
        {"user_id": f"{n:03d}", "email": f"user{n}@example.com", "tier": "gold" if n in chosen else "basic"}
        | {name: values[n] for name, values in more.items() if n in values}
        for n in range(of)
    ]
    account.ingest("profiles", rows, now=day(number) - timedelta(hours=1), recorded="now")


def club(home: Path, users: Iterable[int], *, of: int = 6, text: str = SETTINGS, **fields: Any) -> Account:
    """An account with the campaign ``club`` to everybody who is gold."""
    account = make_account(home / "home", text)
    gold(account, users, 0, of=of)
    account.save_segment("gold", GOLD)
    account.save_campaign("club", "gold", **{"membership": KEEPS, **fields})
    return account


def planned(account: Account, number: int) -> Plan:
    """Plan the occurrence of a day."""
    return runs.plan(account.workspace, "club", occurrence=day(number), as_of=day(number), now=day(number))


def sent(account: Account, number: int) -> Receipt:
    """Send the occurrence of a day; its answers come at its instant."""
    return runs.execute(account.workspace, planned(account, number), clock=lambda: day(number))


def kept(folder: Path) -> dict[str, bool]:
    """The attribute of everybody who has it, as the receiver has stored it."""
    return attributes(folder, ATTRIBUTE)


def inside(folder: Path) -> set[int]:
    """Who is in the audience, by what the receiver has stored."""
    return {int(user) for user, value in kept(folder).items() if value is True}


def why(plan: Plan) -> dict[int, tuple[str, str | None]]:
    """Why each user leaves, and why the receiver is not told."""
    assert plan.leaving is not None
    return {code: (reason, none) for code, reason, none in plan.leaving.users.iter_rows()}


def stands(account: Account, run: str, kind: Kind) -> dict[str, int]:
    """How many users stand in each request state."""
    return {str(state): users for state, users in account.workspace.ledger.totals(run, kind).items() if users}
