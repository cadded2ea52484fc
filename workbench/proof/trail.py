"""A run compared with the audit trail: its row, its requests, and their outcomes once it has ended."""

from collections.abc import Iterator, Sequence

from workbench.export.ledger import Request, Run
from workbench.export.marks import ENDED
from workbench.export.trail import RUN_WORDS, facts, frozen, outcomes
from workbench.proof.check import Check
from workbench.store.audit import Entry, Trail, What
from workbench.workspace import Workspace

TRAIL, RESERVED, STANDS = "audit trail", "as reserved", "as ended"
BEGUN = "the run was reserved before the audit trail began"


def read(workspace: Workspace, run_id: str) -> tuple[Run, list[Request], list[Entry]]:
    """Return a run, its requests and its entries as they were at one time, also while it is being sent.

    Raises:
        NotFoundError: no such run.
        StoreError: the ledger, or an entry of the run, cannot be read.
    """
    entries = _entries(workspace.trail, run_id)
    while True:
        run, requests = workspace.ledger.get(run_id), workspace.ledger.requests(run_id)
        before, entries = entries, _entries(workspace.trail, run_id)
        if entries == before:
            return run, requests, entries


def checks(trail: Trail, run: Run, requests: Sequence[Request], entries: Sequence[Entry]) -> Iterator[Check]:
    """Yield whether the trail is unbroken up to a run's last entry, and whether the ledger says the same as it.

    Args:
        trail: of the account.
        run: as the ledger has it.
        requests: all of them, by number.
        entries: the run's own.
    """
    chain = trail.check(up_to=entries[-1].number if entries else None)
    said = f"{chain.entries:,} entries up to the run's last one, each follows the one before"
    yield Check(name=TRAIL, holds=chain.holds, sentence="; ".join(chain.faults) or said)
    reservation = next((entry for entry in entries if entry.what == What.RUN_RESERVED), None)
    yield _reserved(trail, run, requests, reservation, entries)
    yield _ended(run, requests, entries)


def _entries(trail: Trail, run_id: str) -> list[Entry]:
    return [entry for entry in trail.entries(about=run_id, what=RUN_WORDS) if entry.subject == run_id]


def _reserved(
    trail: Trail, run: Run, requests: Sequence[Request], entry: Entry | None, entries: Sequence[Entry]
) -> Check:
    """Compare what of a run never changes."""
    if entry is None:
        begun = next(iter(trail.entries(what=[What.TRAIL_BEGUN])), None)
        is_older = begun is not None and 0 < run.number <= begun.details["newest_run"]
        said = BEGUN if is_older else "the audit trail has no entry of its reservation"
        return Check(name=RESERVED, holds=None if is_older else False, sentence=said)
    now = {**facts(run), **frozen(requests)}
    then = dict(entry.details)
    for later in entries:
        if later.what == What.RUN_KEY_CHANGED:
            then["key_digest"] = later.details["to"]
    wrong = [name for name, value in now.items() if name in then and then[name] != value]
    said = f"the run and its {len(requests):,} requests are those of entry {entry.number}"
    if wrong:
        said = f"{', '.join(wrong)}: not as in entry {entry.number}, when the run was reserved by {entry.who}"
    return Check(name=RESERVED, holds=not wrong, sentence=said)


def _ended(run: Run, requests: Sequence[Request], entries: Sequence[Entry]) -> Check:
    """Compare state and outcomes with the newest entry that says where the run stands."""
    words = (What.RUN_RESERVED, What.RUN_ENDED, What.RUN_SETTLED, What.GIVEN_BACK)
    last = next((entry for entry in reversed(entries) if entry.what in words), None)
    state = _state(last)
    if last is None or state is None:
        older = last is None and run.state in ENDED
        said = f"the run is {run.state}" + (
            ", and the audit trail has no entry of its end" if run.state in ENDED else ""
        )
        return Check(name=STANDS, holds=None if older else run.state not in ENDED, sentence=said)
    wrong = [] if run.state == state else [f"the ledger says {run.state}, entry {last.number} {state}"]
    if last.what != What.RUN_RESERVED:
        found = outcomes((one.number, one.state, one.digest, one.users, one.kind) for one in requests)
        if any(last.details.get(name) != value for name, value in found.items()):
            wrong.append(f"the outcomes of its requests are not those of entry {last.number}")
    said = f"{run.state}, with the outcomes of entry {last.number}"
    return Check(name=STANDS, holds=not wrong, sentence="; ".join(wrong) or said)


def _state(entry: Entry | None) -> str | None:
    """Return the state in which an entry says that the run has ended; None where it goes on."""
    if entry is None or entry.what == What.GIVEN_BACK:
        return None
    state = str(entry.details["state"])
    return state if state in ENDED else None
