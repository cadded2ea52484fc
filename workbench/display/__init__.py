"""What a cell shows of plans, receipts, segments and catalogues: counts and sentences, never a person.

``%load_ext workbench`` registers the formatters; the objects themselves know of no chart.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import publish_display_data

from workbench import charts, progress
from workbench.campaigns import goal
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.membership import sentence as sentence_of_leaving
from workbench.campaigns.verdicts import CONTROL, HOLDOUT, SEND, TARGET, held_label, steps
from workbench.display import content, insight, lookup, measures, rehearsal, trail, trying
from workbench.errors import WorkbenchError
from workbench.export.ledger import RequestState
from workbench.reach import Reach
from workbench.runs import Plan, Receipt
from workbench.segments.build import Expression
from workbench.segments.check import check
from workbench.segments.library import SavedSegment
from workbench.segments.model import Segment
from workbench.segments.qualify import Counts
from workbench.segments.sentence import sentence
from workbench.segments.vectors import Watch
from workbench.store.catalogue import Catalogue
from workbench.store.lake import utc_now
from workbench.widgets.markup import block, heading, notice, number, paragraph, share, table
from workbench.workspace import Workspace

INSTANT = "%Y-%m-%d %H:%M %Z"
MOST_NAMES = 40


def register(shell: InteractiveShell) -> None:
    """Register HTML, text and chart of each kind with a shell's formatters."""
    formatter = shell.display_formatter
    if formatter is None:
        return
    for kind, (text, markup, _) in SHOWN.items():
        formatter.formatters["text/plain"].for_type(kind, _printer(text))
        formatter.formatters["text/html"].for_type(kind, markup)
        formatter.ipython_display_formatter.for_type(kind, show)
    for kind in (Segment, Expression):
        formatter.ipython_display_formatter.for_type(kind, lambda item: _show_counted(item, opened(shell)))


def opened(shell: InteractiveShell) -> Workspace | None:
    """Return the workspace that a notebook has opened last, if any."""
    found = [value for value in shell.user_ns.values() if isinstance(value, Workspace)]
    return found[-1] if found else None


def show(item: Any) -> None:
    """Display an object: its sentence and table, then its chart where it has one.

    Raises:
        TypeError: an object that has no display.
    """
    for kind, (text, markup, chart) in SHOWN.items():
        if isinstance(item, kind):
            publish_display_data({"text/html": markup(item), "text/plain": text(item)})
            if chart is not None:
                publish_display_data(charts.bundle(chart(item), f"Chart: {text(item)}"))
            return
    raise TypeError(f"{type(item).__name__} has no display of its own")


def _show_counted(item: Segment | Expression, workspace: Workspace | None) -> None:
    """Display a segment with its counts, as of the newest event; without a workspace its sentence only."""
    show(item)
    if workspace is None:
        return
    segment = item if isinstance(item, Segment) else item.named("draft")
    try:
        lake = workspace.lake.at()
        as_of = min(lake.catalogue.last_ts or utc_now(), utc_now())
        began = time.perf_counter()
        check(segment, workspace.scope(lake), as_of)
        watch = Watch(progress.bar(after=progress.SOON))
        asked = workspace.ask(segment, lake, as_of, watch=watch)
        found = asked.counts(time.perf_counter() - began)
    except WorkbenchError as error:
        publish_display_data({"text/html": block(notice(str(error), error=True)), "text/plain": str(error)})
        return
    label = f"As of {as_of:{INSTANT}}{', history as reconstructed' if lake.reconstructed else ''}."
    publish_display_data(
        {
            "text/html": block(paragraph(label, quiet=True)) + _counts_html(found),
            "text/plain": _counts_text(found),
        }
    )
    publish_display_data(charts.bundle(charts.conditions(found), f"Chart: {_counts_text(found)}"))


def _plan_text(plan: Plan) -> str:
    leave = f"; {plan.leaving.sentence}" if plan.leaving else ""
    return (
        f"{plan.run_id}: {plan.qualified:,} qualify, {plan.to_send:,} would be sent to "
        f"({plan.environment}), as of {plan.as_of:{INSTANT}}{leave}"
    )


def _plan_html(plan: Plan) -> str:
    campaign = plan.campaign
    limit = campaign.campaign.cap.per_run
    control = campaign.campaign.control.share
    facts = (
        f"Version {campaign.stored.version} · as of {plan.as_of:{INSTANT}} · "
        f"control {f'{control:.1%}' if control else 'none'} · limit {number(limit) if limit else 'none'} · "
        f"lake version {plan.lake_version}{' (history as reconstructed)' if plan.reconstructed else ''}"
    )
    others = ", ".join(plan.leaving.others) if plan.leaving else ""
    known = f"This run exists already ({plan.already.state}); executing finishes it." if plan.already else ""
    return block(
        heading(f"Plan: {campaign.campaign.name}"),
        paragraph(f"Users who {plan.audience}."),
        paragraph(facts, quiet=True),
        notice(f"Blocked by the safety check: {plan.blocked}.") if plan.blocked else "",
        notice(known) if known else "",
        paragraph(f"{plan.leaving.sentence}.") if plan.leaving else "",
        notice(f"The campaign kept {others} before: whoever is in that audience stays in it.")
        if others
        else "",
        _verdicts(plan.waterfall, f"Would be sent to ({plan.environment})"),
    )


def _receipt_text(receipt: Receipt) -> str:
    accepted = receipt.users.get(RequestState.ACCEPTED, 0)
    return (
        f"{receipt.run.run_id}: {receipt.run.state}, {accepted:,} of {receipt.run.to_send:,} accepted, "
        f"{receipt.sent_now:,} of them now ({receipt.run.environment})"
    )


def _receipt_html(receipt: Receipt) -> str:
    run = receipt.run
    outcomes = [(str(state), users) for state, users in receipt.users.items() if users]
    return block(
        heading(f"Run {run.run_id}: {run.state}"),
        paragraph(
            f"{receipt.sent_now:,} users were sent to in this call, "
            f"{receipt.users.get(RequestState.ACCEPTED, 0):,} in all."
        ),
        notice(run.note, error=True) if run.note else "",
        notice(receipt.not_recorded, error=True) if receipt.not_recorded else "",
        _verdicts(receipt.waterfall, f"Sent to ({run.environment})"),
        heading("What became of those sent to"),
        table(
            [("Requests", "text"), ("Users", "number"), ("Share", "number")],
            [(name.capitalize(), number(users), share(users, run.to_send)) for name, users in outcomes],
            total=("Total", number(sum(users for _, users in outcomes)), ""),
            caption="Users by request state",
        ),
        _left(receipt),
    )


def _left(receipt: Receipt) -> str:
    kept = receipt.run.membership
    if kept is None:
        return ""
    states = ", ".join(f"{state} {users:,}" for state, users in receipt.leaving.items() if users)
    said = f"{sentence_of_leaving(kept['users'])}{f': {states}' if states else ''}."
    return heading("Who left the audience") + paragraph(said)


def _segment_text(segment: Segment) -> str:
    return f'segment "{segment.name}": users who {sentence(segment.condition)}'


def _segment_html(segment: Segment) -> str:
    return block(
        heading(f"Segment {segment.name}"),
        paragraph(segment.description) if segment.description else "",
        paragraph(f"Users who {sentence(segment.condition)}."),
    )


def _expression_text(expression: Expression) -> str:
    return f"users who {sentence(expression.condition)}"


def _expression_html(expression: Expression) -> str:
    return block(paragraph(f"Users who {sentence(expression.condition)}."))


def _saved_segment_text(saved: SavedSegment) -> str:
    return f"{_segment_text(saved.segment)} (version {saved.version})"


def _saved_segment_html(saved: SavedSegment) -> str:
    stored = saved.stored
    facts = f"Version {saved.version}, saved {stored.created_at:{INSTANT}} by {stored.created_by}"
    return _segment_html(saved.segment) + block(paragraph(facts, quiet=True))


def _campaign_text(saved: SavedCampaign) -> str:
    campaign = saved.campaign
    limit = campaign.cap.per_run
    return (
        f'campaign "{campaign.id}" (version {saved.stored.version}): {campaign.name}; segment '
        f"{campaign.segment.name}, control {campaign.control.share or 0:.1%}, limit {number(limit) if limit else 'none'}"
    )


def _campaign_html(saved: SavedCampaign) -> str:
    wanted, kept = saved.campaign.goal, saved.campaign.membership
    return block(
        heading(saved.campaign.name),
        paragraph(_campaign_text(saved)),
        paragraph(f"Goal: {goal.sentence(wanted)}.") if wanted else "",
        paragraph(f"Keeps the audience of {kept.attribute} (leaving: {kept.leaving}).") if kept else "",
    )


def _counts_text(counts: Counts) -> str:
    return f"{counts.qualified:,} of {counts.everyone:,} users ({share(counts.qualified, counts.everyone)})"


def _counts_html(counts: Counts) -> str:
    everyone = ("Everyone with a profile", number(counts.everyone), share(counts.everyone, counts.everyone))
    rows = [
        ("\u2003" * step.depth + step.sentence, number(step.users), share(step.users, counts.everyone))
        for step in counts.conditions[:-1]
    ]
    return block(
        paragraph(f"{_counts_text(counts)}, counted exactly in {counts.seconds:.2f} s."),
        table(
            [("Condition", "wrap"), ("Users", "number"), ("Of everyone", "number")],
            [everyone, *rows],
            total=("In the segment", number(counts.qualified), share(counts.qualified, counts.everyone)),
            caption="Users by condition",
        ),
    )


def _reach_text(found: Reach) -> str:
    return f"{_counts_text(found.counts)}, {found.reachable:,} reachable"


def _reach_html(found: Reach) -> str:
    reachable = share(found.reachable, found.counts.qualified)
    said = f"{found.reachable:,} of those in the segment can be reached ({reachable}); {found.seconds:.2f} s in all."
    history = paragraph("History as reconstructed.", quiet=True) if found.reconstructed else ""
    return _counts_html(found.counts) + block(paragraph(said), history)


def _reach_chart(found: Reach) -> Any:
    return charts.shrinking(found.counts.everyone, found.steps, found.reachable)


def _catalogue_text(catalogue: Catalogue) -> str:
    rows = sum(event.rows for event in catalogue.events.values())
    return (
        f"lake version {catalogue.version}: {rows:,} events of {_used(catalogue)} kinds, "
        f"{len(catalogue.attributes):,} attributes"
    )


def _catalogue_html(catalogue: Catalogue) -> str:
    events = sorted((e for e in catalogue.events.values() if e.rows), key=lambda event: -event.rows)
    span = ""
    if catalogue.first_ts and catalogue.last_ts:
        span = f", {catalogue.first_ts:{INSTANT}} to {catalogue.last_ts:{INSTANT}}"
    return block(
        heading("What the lake knows"),
        paragraph(_catalogue_text(catalogue) + span),
        table(
            [("Event", "text"), ("Rows", "number"), ("Properties", "wrap")],
            [(e.name, number(e.rows), ", ".join(sorted(e.properties))) for e in events[:MOST_NAMES]],
            total=("Total", number(sum(event.rows for event in events)), ""),
            caption="Events",
        ),
        paragraph("Attributes: " + ", ".join(catalogue.attributes), quiet=True),
    )


def _used(catalogue: Catalogue) -> int:
    return sum(1 for event in catalogue.events.values() if event.rows)


VERDICT_COLUMNS = [
    ("Verdict", "wrap"), ("Users", "number"), ("Target", "number"), ("Control", "number"), ("Share", "number"),
]  # fmt: skip


def _verdicts(frame: pl.DataFrame, sent: str) -> str:
    """Return the table of verdicts: each reason once, both arms beside it, adding up to the qualified."""
    whole = int(frame["users"].sum())
    found = steps(frame)
    rows = [
        (_label(row, sent), number(row["users"]), number(row["target"]), number(row["control"]),
         share(row["users"], whole))
        for row in found.iter_rows(named=True)
    ]  # fmt: skip
    sums = {arm: int(found[arm].sum()) for arm in (TARGET, CONTROL)}
    return table(
        VERDICT_COLUMNS,
        rows,
        total=("Qualified", number(whole), number(sums[TARGET]), number(sums[CONTROL]), share(whole, whole)),
        caption="Users by verdict",
    )


def _label(row: Mapping[str, Any], sent: str) -> str:
    if row["verdict"] == HOLDOUT:
        return held_label(row["held_by"])
    return sent if row["verdict"] == SEND else f"Not sent: {row['reason']}"


def _printer(text: Callable[[Any], str]) -> Callable[[Any, Any, bool], None]:
    return lambda item, printer, _cycle: printer.text(text(item))


def _waterfall(item: Plan | Receipt) -> Any:
    return charts.waterfall(item.waterfall)


SHOWN: dict[type, tuple[Callable[[Any], str], Callable[[Any], str], Callable[[Any], Any] | None]] = {
    Plan: (_plan_text, _plan_html, _waterfall),
    Receipt: (_receipt_text, _receipt_html, _waterfall),
    Counts: (_counts_text, _counts_html, charts.conditions),
    Reach: (_reach_text, _reach_html, _reach_chart),
    Segment: (_segment_text, _segment_html, None),
    Expression: (_expression_text, _expression_html, None),
    SavedSegment: (_saved_segment_text, _saved_segment_html, None),
    SavedCampaign: (_campaign_text, _campaign_html, None),
    Catalogue: (_catalogue_text, _catalogue_html, None),
    **insight.SHOWN,
    **measures.SHOWN,
    **content.SHOWN,
    **lookup.SHOWN,
    **trail.SHOWN,
    **trying.SHOWN,
    **rehearsal.SHOWN,
}
