"""The reach and control panel: a view over ``ReachModel``, built once and linked."""

from datetime import datetime, timedelta

import ipywidgets as widgets

from workbench import charts
from workbench.store.lake import utc_now
from workbench.widgets import feedback
from workbench.widgets.markup import block, blockers, code, number, paragraph, share, tiles
from workbench.widgets.preview import Preview
from workbench.widgets.reach_model import Choice, ReachModel
from workbench.workspace import Workspace

FIELD = {"description_width": "96px"}
WIDE = {"width": "auto", "margin": "0", "min_width": "0"}
FORM = {
    "display": "grid", "width": "100%", "grid_gap": "8px 32px", "margin": "4px 0 10px",
    "grid_template_columns": "repeat(auto-fit, minmax(min(100%, 380px), 1fr))", "overflow": "visible",
}  # fmt: skip


def panel(workspace: Workspace, *, as_of: datetime | None = None) -> "ReachView":
    """Open the panel over the saved campaigns.

    Args:
        workspace: the account.
        as_of: the instant to count at; by default the minute after the newest event.
    """
    choices = [
        Choice(
            id=saved.campaign.id, name=saved.campaign.name, version=saved.stored.version,
            control_share=saved.campaign.control.share, cap=saved.campaign.cap.per_run,
        )
        for saved in workspace.campaigns.newest()
    ]  # fmt: skip
    model = ReachModel(
        choices,
        Preview(workspace),
        zone=workspace.zone,
        as_of=as_of or _newest(workspace),
        small_caps=workspace.settings.campaigns.allow_small_cap,
    )
    return ReachView(model)


class ReachView(widgets.VBox):
    """Choices on top, four numbers that follow them, one waterfall, and the lines to copy."""

    def __init__(self, model: ReachModel) -> None:
        """Build every part once; each follows the model from then on."""
        self.model = model
        zone = model.zone.key
        self.campaign = widgets.Dropdown(
            options=[(f"{choice.name} · {choice.id}", choice.id) for choice in model.choices.values()],
            value=model.campaign,
            description="Campaign",
            style=FIELD,
            layout=WIDE,
            tooltip="The saved campaign whose reach is counted",
        )
        self.as_of = widgets.NaiveDatetimePicker(
            value=model.as_of,
            description="Counted at",
            style=FIELD,
            layout=WIDE,
            tooltip=f"Only what was recorded by this time counts; time zone {zone}",
        )
        self.control = widgets.SelectionSlider(
            options=_steps(model),
            value=model.percent,
            description="Control group",
            style=FIELD,
            layout=WIDE,
            tooltip="Share of the qualified users who are held out; arrow keys move it",
        )
        self.cap = widgets.Text(
            value=model.cap_text,
            description="Limit",
            placeholder="no limit",
            style=FIELD,
            layout=WIDE,
            tooltip="How many users are sent to at the most; empty for no limit",
        )
        self.error = feedback.box()
        self.blockers = feedback.box()
        self.numbers = feedback.box()
        self.chart = widgets.Output(layout={"width": "100%", "min_height": "310px"})
        self.lines = feedback.box()
        self.results = widgets.VBox([self.numbers, self.chart], layout={"width": "100%"})
        widgets.link((model, "campaign"), (self.campaign, "value"))
        widgets.link((model, "as_of"), (self.as_of, "value"))
        widgets.link((model, "percent"), (self.control, "value"))
        widgets.link((model, "cap_text"), (self.cap, "value"))
        model.observe(self._draw, "answer")
        model.observe(self._mark, ["stale", "error", "answer"])
        model.observe(self._copy, ["percent", "cap_text", "campaign"])
        form = widgets.Box([self.campaign, self.as_of, self.control, self.cap], layout=FORM)
        form.add_class("wb-form")
        super().__init__(
            [form, self.error, self.blockers, self.results, self.lines],
            layout={"width": "100%", "max_width": "980px", "padding": "0 0 0 6px"},
        )
        self._draw(None)
        self._mark(None)
        self._copy(None)

    def _draw(self, _change: object) -> None:
        answer = self.model.answer
        if answer is None:
            return
        whole = answer.qualified
        note = " The history was reconstructed at its first ingest." if answer.reconstructed else ""
        self.numbers.value = block(
            paragraph(f"Users who {answer.audience}.{note}", quiet=True),
            '<div role="status" aria-live="polite">',
            tiles(
                [
                    ("Qualified", number(whole), "in the segment", charts.WHOLE),
                    ("Reachable", number(answer.reachable), share(answer.reachable, whole), ""),
                    ("Held out", number(answer.held_out), share(answer.held_out, whole), charts.HELD_OUT),
                    ("Sent to", number(answer.sent), share(answer.sent, whole), charts.SENT),
                ]
            ),
            "</div>",
        )
        title = f"{whole:,} qualify, {answer.held_out:,} held out, {answer.sent:,} sent to"
        bundle = charts.bundle(charts.waterfall(answer.waterfall), title)
        self.chart.outputs = ({"output_type": "display_data", "metadata": {}, "data": bundle},)

    def _mark(self, _change: object) -> None:
        """Grey what is no longer the answer, and say what is wrong or in the way."""
        model = self.model
        (self.results.add_class if model.stale else self.results.remove_class)("wb-stale")
        feedback.tell(self.error, model.error)
        found = model.blockers()
        self.blockers.value = block(blockers(found)) if found else ""

    def _copy(self, _change: object) -> None:
        model = self.model
        chosen = model.chosen
        if chosen is None:
            self.lines.value = ""
            return
        hint = f"As saved in version {chosen.version}."
        if model.differs():
            hint = f"Not as saved in version {chosen.version}: put these lines into the campaign and save it to send it so."
        self.lines.value = block(paragraph(hint, quiet=True), code(model.yaml(), "Control and limit as YAML"))


def _steps(model: ReachModel) -> list[tuple[str, float]]:
    """Return none, 2 to 50 %, and the saved shares that lie between or beyond them."""
    saved = {round((choice.control_share or 0) * 100, 4) for choice in model.choices.values()}
    values = {0.0, *(float(percent) for percent in range(2, 51)), *saved}
    return [("none" if value == 0 else f"{value:g} %", value) for value in sorted(values)]


def _newest(workspace: Workspace) -> datetime:
    now = utc_now()
    last = workspace.lake.at().catalogue.last_ts
    if last is None:
        return now.replace(second=0, microsecond=0)
    exact = last.replace(second=0, microsecond=0)
    return min(now, exact if exact == last else exact + timedelta(minutes=1))
