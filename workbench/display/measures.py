"""What a cell shows of power and balance: a sentence, a table, a chart; never a person."""

from collections.abc import Callable
from typing import Any

from workbench import charts
from workbench.stats.balance import THRESHOLD, Balance, spoken, value
from workbench.stats.power import Option, Power, points
from workbench.widgets.markup import block, heading, notice, number, paragraph, table

INSTANT = "%Y-%m-%d %H:%M %Z"
MOST_ROWS = 20

Shown = tuple[Callable[[Any], str], Callable[[Any], str], Callable[[Any], Any] | None]


def power_text(found: Power) -> str:
    """Say what the chosen share could find."""
    return f"{found.campaign}: {found.summary}"


def power_html(found: Power) -> str:
    """Show the goal, the baseline, every share of control, and the cost."""
    rows = [
        (f"{option.name}{'  (chosen)' if option.chosen else ''}", number(option.target), number(option.control),
         _points(option), _relative(option), number(option.fewer), _decimal(option.conversions, 1),
         _decimal(option.revenue, 2))
        for option in found.options
    ]  # fmt: skip
    whys = [
        f"{option.name}: {option.found.why}"
        for option in found.options
        if option.found.why is not None and found.baseline.why is None
    ]
    return block(
        heading(f"What {found.campaign} could find out"),
        paragraph(f"Goal: {found.goal}."),
        paragraph(f"{charts.capital(found.baseline.sentence)}."),
        notice(f"{charts.capital(found.summary)}."),
        table(
            [
                ("Control", "text"), ("Sent to", "number"), ("Held out", "number"), ("Lift found", "number"),
                ("Of the rate", "number"), ("Sends fewer", "number"), ("Conversions lost", "number"),
                ("Revenue lost", "number"),
            ],
            rows,
            caption="Smallest lift that would be found, by share of control",
        ),
        paragraph(f"{'; '.join(whys)}.", quiet=True) if whys else "",
        paragraph(f"{charts.capital(found.cost)}."),
        paragraph(
            f"80 % power, 5 % two-sided; shares other than the chosen one with expected arms; {_foot(found)}", quiet=True
        ),
    )  # fmt: skip


def power_chart(found: Power) -> Any:
    """Draw the smallest lift by share of control."""
    return charts.lifts([_bar(option) for option in found.options])


def balance_text(found: Balance) -> str:
    """Say how many rows differ."""
    return f"{found.campaign}: {found.summary}"


def balance_html(found: Balance) -> str:
    """Show the rows that differ most."""
    shown = found.rows.head(MOST_ROWS)
    rows = [
        (f"{row['attribute']}: {row['level']}", value(row["target"], row["unit"]), value(row["control"], row["unit"]),
         spoken(row["smd"]), "differs" if row["flagged"] else "")
        for row in shown.iter_rows(named=True)
    ]  # fmt: skip
    more = f"{found.rows.height:,} comparisons in all; " if found.rows.height > MOST_ROWS else ""
    empty = f"Nobody has: {', '.join(found.empty)}." if found.empty else ""
    return block(
        heading(f"Are the arms of {found.campaign} alike?"),
        paragraph(f"{charts.capital(found.summary)}."),
        table(
            [
                ("Attribute", "wrap"), (f"Target ({found.target:,})", "number"),
                (f"Control ({found.control:,})", "number"), ("Difference (SMD)", "number"), ("", "text"),
            ],
            rows,
            caption="Attributes of target and control",
        ) if rows else "",
        paragraph(f"{more}{_foot(found)}", quiet=True),
        paragraph(empty, quiet=True) if empty else "",
    )  # fmt: skip


def balance_chart(found: Balance) -> Any:
    """Draw the differences."""
    return charts.love(found.rows, THRESHOLD)


def _bar(option: Option) -> tuple[str, float | None, str, bool]:
    lift = None if option.found.absolute is None else 100 * option.found.absolute
    return (option.name, lift, option.said, option.chosen)


def _points(option: Option) -> str:
    return "–" if option.found.absolute is None else points(option.found.absolute)


def _relative(option: Option) -> str:
    return "–" if option.found.relative is None else f"{option.found.relative:+,.0%}"


def _decimal(found: float | None, decimals: int) -> str:
    return "–" if found is None else f"{found:,.{decimals}f}"


def _foot(found: Power | Balance) -> str:
    history = ", history as reconstructed" if found.reconstructed else ""
    return f"as of {found.as_of:{INSTANT}}, {found.seconds:.2f} s{history}."


SHOWN: dict[type, Shown] = {
    Power: (power_text, power_html, power_chart),
    Balance: (balance_text, balance_html, balance_chart),
}
