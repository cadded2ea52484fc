"""Who hears that a run was blocked or failed: each address once a run and reason, and what became of it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from workbench import alerts
from workbench.errors import StoreError
from workbench.export.ledger import Alert, AlertOutcome, Ledger, Run

BLOCKED, FAILED = "blocked by safety check", "failed"


def announce(
    run: Run,
    about: str,
    why: str,
    *,
    name: str,
    addresses: Sequence[str],
    ledger: Ledger,
    clock: Callable[[], datetime],
) -> None:
    """Tell every address that has not heard of it; whether it was taken is recorded and never raised.

    Args:
        run: in the ledger.
        about: ``BLOCKED`` or ``FAILED``.
        why: a sentence without a person in it.
        name: of the campaign, for people.
        addresses: of the campaign; an alert is known by its place among them.
        ledger: where the outcome goes.
        clock: gives the instants.
    """
    with suppress(StoreError):
        heard = {
            alert.number
            for alert in ledger.alerts(run.run_id)
            if alert.about == about and alert.outcome is AlertOutcome.SENT
        }
        for number, address in enumerate(addresses, 1):
            if number in heard:
                continue
            taken = alerts.tell(address, f'Campaign "{name}": {about}', _text(run, about, why))
            outcome = AlertOutcome.SENT if taken else AlertOutcome.NOT_SENT
            ledger.record_alert(
                run.run_id, Alert(about=about, number=number, outcome=outcome, told_at=clock())
            )


def _text(run: Run, about: str, why: str) -> str:
    then = {
        BLOCKED: "Nobody was sent to, and nobody will be for this occurrence. The next one is checked again.",
        FAILED: f"Go on with: workbench resume {run.run_id}",
    }[about]
    return "\n".join(
        (
            f"Run {run.run_id}, environment {run.environment}.", f"Why: {why}.",
            f"{run.qualified:,} users qualified as of {run.as_of:%Y-%m-%d %H:%M} UTC.", then,
        )
    )  # fmt: skip
