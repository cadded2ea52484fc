"""What a cell shows of a dry run and of a test send: counts, and the test profiles with their verdicts."""

from collections.abc import Callable
from typing import Any

from workbench.runs import DryRun
from workbench.trial import Trial
from workbench.widgets.markup import block, heading, notice, number, paragraph, table

INSTANT = "%Y-%m-%d %H:%M:%S.%f %Z"


def _dry_text(found: DryRun) -> str:
    return (
        f"dry run of {found.plan.run_id}: {found.users:,} users in {found.requests:,} requests, "
        f"{found.bytes:,} bytes, sha256 {found.sha256[:12]}…, nothing was sent"
    )


def _dry_html(found: DryRun) -> str:
    planned = found.plan
    facts = [
        ("Users", number(found.users)), ("Batches", number(found.batches)), ("Requests", number(found.requests)),
        *([("Leave the audience", number(found.leaving))] if planned.leaving else []), ("Bytes", number(found.bytes)), ("sha256 of requests.jsonl", found.sha256), ("Folder", str(found.folder)),
        ("As of", f"{planned.as_of:{INSTANT}}"), ("Sent at", f"{planned.send_at:{INSTANT}}"),
    ]  # fmt: skip
    return block(
        heading(f"Dry run: {planned.campaign.campaign.name}"),
        paragraph(f"{planned.qualified:,} users qualify; nothing was sent and nothing is reserved."),
        *(notice(f"{line[:1].upper()}{line[1:]}.") for line in found.remarks),
        table([("Fact", "text"), ("Value", "wrap")], facts, caption="What would be sent"),
    )


def _trial_text(found: Trial) -> str:
    run = found.receipt.run
    return f"test send {run.run_id}: {found.receipt.sent_now:,} of {run.qualified:,} sent now ({run.environment})"


def _trial_html(found: Trial) -> str:
    run = found.receipt.run
    rows = [
        (
            row["user_id"],
            row["verdict"].capitalize(),
            row["reason"] or row["held_by"] or "",
            row["outcome"] or "",
        )
        for row in found.users.iter_rows(named=True)
    ]
    return block(
        heading(f"Test send {run.run_id}: {run.state}"),
        paragraph(f"{found.receipt.sent_now:,} of {run.qualified:,} users were sent to now ({run.environment})."),
        notice(run.note, error=True) if run.note else "",
        table(
            [("User", "text"), ("Verdict", "text"), ("Why", "wrap"), ("Outcome", "text")], rows,
            caption="Test profiles",
        ),
    )  # fmt: skip


SHOWN: dict[type, tuple[Callable[[Any], str], Callable[[Any], str], None]] = {
    DryRun: (_dry_text, _dry_html, None),
    Trial: (_trial_text, _trial_html, None),
}
