"""A run compared with the audit trail: its row, its requests, and how far each of them has come."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import DamagedError, NotFoundError
from workbench.export.ledger import Request, Run, RunState
from workbench.export.trail import RUN_WORDS, facts, frozen, outcomes, standing
from workbench.proof.check import Check
from workbench.store.audit import Entry, Trail, What
from workbench.workspace import Workspace

TRAIL, RESERVED, STANDS = "audit trail", "as reserved", "as ended"
BEGUN = "the run was reserved before the audit trail began"
# What an entry says of the run's row without details: these words, and those of older entries.
SENDING = {"state": RunState.RUNNING.value, "finished_at": None, "note_digest": None}
SAYS: Mapping[str, Mapping[str, Any]] = {
    What.RUN_STARTED: SENDING, What.RUN_RESUMED: SENDING,
    What.RUN_STOPPED: {"state": RunState.STOPPING.value}, What.GIVEN_BACK: {"state": RunState.INTERRUPTED.value},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A run, its requests by number, and its entries by number."""

    run: Run
    requests: list[Request]
    entries: list[Entry]

    def first(self, what: What) -> Entry | None:
        """Return the first entry of a kind."""
        return next((entry for entry in self.entries if entry.what == what), None)


def read(workspace: Workspace, run_id: str) -> Record:
    """Return what there is of a run as it was at one time, also while it is being sent.

    Raises:
        NotFoundError: no such run, and no entry of one.
        DamagedError: a row of it cannot be read, or the run's own is gone.
        StoreError: the ledger cannot be read.
    """
    entries = _entries(workspace.trail, run_id)
    while True:
        try:
            run, requests = workspace.ledger.get(run_id), workspace.ledger.requests(run_id)
        except NotFoundError as error:
            if not entries:
                raise
            raise DamagedError(
                f"the ledger has no run {run_id}, and entry {entries[0].number} of the audit trail is about it"
            ) from error
        before, entries = entries, _entries(workspace.trail, run_id)
        if entries == before:
            return Record(run=run, requests=requests, entries=entries)


def checks(trail: Trail, record: Record, campaign_digest: str | None) -> Iterator[Check]:
    """Yield whether the trail is unbroken, and whether the ledger says the same as it.

    Args:
        trail: of the account.
        record: by ``read``.
        campaign_digest: of the campaign's version, as the database has it; None where it cannot be read.
    """
    yield _unbroken(trail, record.entries[-1].number if record.entries else None)
    yield _reserved(trail, record, campaign_digest)
    yield _stands(record)


def _entries(trail: Trail, run_id: str) -> list[Entry]:
    return [entry for entry in trail.entries(about=run_id, what=RUN_WORDS) if entry.subject == run_id]


def _unbroken(trail: Trail, last: int | None) -> Check:
    """A fault up to the run's last entry is one of its record; behind it, an entry of the run may be gone."""
    chain = trail.check()
    if chain.holds:
        return Check(
            name=TRAIL, holds=True, sentence=f"{chain.entries:,} entries, each follows the one before"
        )
    before = trail.check(up_to=last)
    if not before.holds:
        return Check(name=TRAIL, holds=False, sentence="; ".join(before.faults))
    said = f"unbroken up to the run's last entry; whether one is gone since cannot be told: {chain.faults[0]}"
    return Check(name=TRAIL, holds=None, sentence=said)


def _reserved(trail: Trail, record: Record, campaign_digest: str | None) -> Check:
    """Compare what of a run never changes."""
    run, entry = record.run, record.first(What.RUN_RESERVED)
    if entry is None:
        begun = next(iter(trail.entries(what=[What.TRAIL_BEGUN])), None)
        newest = begun.details.get("newest_run") if begun else None
        is_older = isinstance(newest, int) and 0 < run.number <= newest
        said = BEGUN if is_older else "the audit trail has no entry of its reservation"
        return Check(name=RESERVED, holds=None if is_older else False, sentence=said)
    now = {**facts(run), **frozen(record.requests)}
    if campaign_digest is not None:
        now["campaign_digest"] = campaign_digest
    then = dict(entry.details)
    for later in record.entries:
        if later.what == What.RUN_KEY_CHANGED:
            then["key_digest"] = later.details.get("to")
    wrong = _differing(now, then)
    said = f"the run and its {len(record.requests):,} requests are those of entry {entry.number}" + _unsaid(
        now, then
    )
    if wrong:
        said = f"{', '.join(wrong)}: not as in entry {entry.number}, when the run was reserved by {entry.who}"
    return Check(name=RESERVED, holds=not wrong, sentence=said)


def _stands(record: Record) -> Check:
    """Compare how far run and requests have come with the newest entry, whatever it is of."""
    run = record.run
    words = [entry for entry in record.entries if entry.what != What.RUN_KEY_CHANGED]
    if not words:
        return Check(
            name=STANDS,
            holds=None,
            sentence=f"the run is {run.state}, and the audit trail has no entry of it",
        )
    last = words[-1]
    then = {**SAYS.get(last.what, {}), **last.details}
    now = standing(run)
    is_compared, faults = "outcomes_digest" in then, []
    if is_compared:
        now |= outcomes(record.requests)
    wrong = _differing(now, then)
    said = f"{run.state}, with the outcomes of entry {last.number}"
    if not is_compared:
        said = f"{run.state}, as entry {last.number} says; what became of its requests is in no entry yet"
    if "state" in wrong:
        wrong.remove("state")
        faults.append(f"the ledger says {run.state}, entry {last.number} {then['state']}")
    if wrong:
        faults.append(f"{', '.join(wrong)}: not as in entry {last.number}")
    return Check(name=STANDS, holds=not faults, sentence="; ".join(faults) or said + _unsaid(now, then))


def _differing(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    """Name what an entry has otherwise; an older one has less."""
    return [name for name, value in now.items() if name in then and then[name] != value]


def _unsaid(now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    missing = ", ".join(name for name in now if name not in then)
    return f"; an older workbench wrote the entry, without {missing}" if missing else ""
