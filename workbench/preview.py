"""What a campaign would say: to one user, or to those whose payload is the worst; nothing is sent.

A preview shows people. It is for the eyes of who writes a campaign; nothing of it is stored or logged.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from workbench import audience, runs
from workbench.campaigns.candidates import USERS
from workbench.campaigns.content.compiled import absent
from workbench.campaigns.content.rendering import Rendering
from workbench.errors import NotFoundError
from workbench.export import payload
from workbench.runs import Plan, Report
from workbench.store import engine
from workbench.store.held import profiles_at
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace

NOT_IN_SEGMENT = "not in the segment"
WORST = {"longest": "longest", "missing": "most missing", "unusual": "most unusual characters"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What one user would get.

    Attributes:
        why: this user: the one asked for, or the worst in which way.
        verdict: of the plan; ``not in the segment`` for any other user.
        reason: why not sent to.
        values: the rendered values by key; None where there is none.
        bodies: the batches as they would be sent, one for each push token where these are asked for;
            none where a value cannot be rendered.
    """

    why: str
    user_id: str
    verdict: str
    reason: str | None
    values: Mapping[str, str | None]
    bodies: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A campaign as its users would see it.

    Attributes:
        plan: with the verdicts of everybody.
        examples: the user that was asked for, or the worst cases, each user once.
    """

    plan: Plan = field(repr=False)
    examples: tuple[Example, ...] = field(repr=False)

    @property
    def faults(self) -> pl.DataFrame:
        """``reason, users``: whom the content itself keeps from being sent to, both arms."""
        steps = ("render error", "aborted by template", "invalid profile")
        found = self.plan.waterfall.filter(
            pl.any_horizontal(pl.col("reason").str.starts_with(step) for step in steps)
        )
        return found.group_by("reason", maintain_order=True).agg(pl.col("users").sum())


def preview(
    workspace: Workspace,
    campaign_id: str,
    *,
    user_id: str | None = None,
    as_of: datetime | None = None,
    now: datetime | None = None,
    report: Report = lambda label, done, total: None,
) -> Preview:
    """Render a campaign without sending it.

    Args:
        workspace: the account.
        campaign_id: of a saved campaign.
        user_id: any user with a profile, in the segment or not; by default the worst cases of those in it.
        as_of: the instant of the question; by default ``now``.
        now: the instant of the send; by default the clock's.
        report: told the name of each step.

    Raises:
        NotFoundError: no such campaign, or no profile of this user.
        CampaignError: the campaign no longer fits the settings or the data.
        SegmentError: its segment no longer fits the data.
        StoreError: lake or database cannot be read.
    """
    planned = runs.plan(workspace, campaign_id, as_of=as_of, now=now, report=report)
    version = workspace.lake.at(planned.lake_version)
    connection = version.connect()
    rendering = audience.render(
        workspace, planned.campaign, version, connection, as_of=planned.as_of, now=planned.send_at
    )
    if user_id is not None:
        chosen = {_code(connection, user_id, planned.as_of): "asked for"}
    else:
        chosen = _worst(planned, version, connection, rendering)
    found = [
        _example(workspace, planned, version, connection, rendering, code, why)
        for code, why in chosen.items()
    ]
    connection.close()
    return Preview(plan=planned, examples=tuple(found))


def _code(connection: engine.Connection, user_id: str, as_of: datetime) -> int:
    sql = f"SELECT u.user_code FROM users u JOIN ({profiles_at()}) p USING (user_code) WHERE u.user_id = $user_id"
    rows = engine.rows(connection, sql, {"user_id": user_id, "as_of": as_of})
    if not rows:
        raise NotFoundError(f'no profile of user "{user_id}" is known by {as_of:%Y-%m-%d %H:%M %Z}')
    return int(rows[0][0])


def _worst(
    planned: Plan, version: LakeVersion, connection: engine.Connection, rendering: Rendering
) -> dict[int, str]:
    """Return the user who is worst in each way, with the ways: each user once, nobody who is not bad at all."""
    names = planned.campaign.campaign.content.attributes
    sources = {**rendering.sources, **rendering.columns(names, version.catalogue)}
    texts = [*rendering.values.values(), *(s.sql for s in sources.values() if s.type == "text")]
    scores = {
        "longest": _sum(f"coalesce(length({text}), 0)" for text in texts),
        "missing": _sum(f"({absent(source)})::BIGINT" for source in sources.values()),
        "unusual": _sum(f"coalesce(length(regexp_replace({text}, '[ -~]', '', 'g')), 0)" for text in texts),
    }
    best: dict[str, tuple[int, int]] = {}
    codes = planned.verdicts["user_code"].sort()
    for part in (codes[first : first + USERS] for first in range(0, len(codes), USERS)):
        columns = [f"({score})::BIGINT AS {name}" for name, score in scores.items()]
        found = _rows(connection, rendering, part.to_list(), planned.as_of, columns)
        for name in scores:
            top = found.sort([name, "user_code"], descending=[True, False]).head(1)
            for score, code in top.select(name, "user_code").iter_rows():
                if score > best.get(name, (0, 0))[0]:
                    best[name] = (score, code)
    chosen: dict[int, list[str]] = {}
    for name, (_, code) in best.items():
        chosen.setdefault(code, []).append(WORST[name])
    return {code: ", ".join(ways) for code, ways in chosen.items()}


def _example(
    workspace: Workspace,
    planned: Plan,
    version: LakeVersion,
    connection: engine.Connection,
    rendering: Rendering,
    code: int,
    why: str,
) -> Example:
    columns = ["u.user_id", f"({rendering.reason})::VARCHAR AS reason"]
    columns += [f"{value} AS t{number}" for number, value in enumerate(rendering.values.values())]
    (row,) = _rows(connection, rendering, [code], planned.as_of, columns).to_dicts()
    decided = planned.verdicts.filter(pl.col("user_code") == code).to_dicts()
    bodies: tuple[Mapping[str, Any], ...] = ()
    if row["reason"] is None:
        sent_at = planned.send_at
        batches = payload.batches(
            connection,
            pl.DataFrame({"user_code": [code]}, schema={"user_code": pl.UInt32}),
            audience.envelope(workspace, planned.campaign, run=planned.run_id, send_at=sent_at),
            as_of=planned.as_of,
            catalogue=version.catalogue,
            identities=workspace.settings.identities,
            rendering=rendering,
        )
        bodies = tuple(body for part in batches for body in json.loads(part.body(0, len(part.rows))))
    return Example(
        why=why,
        user_id=row["user_id"],
        verdict=decided[0]["verdict"] if decided else NOT_IN_SEGMENT,
        reason=decided[0]["reason"] if decided else row["reason"],
        values={key: row[f"t{number}"] for number, key in enumerate(rendering.values)},
        bodies=bodies,
    )


def _rows(
    connection: engine.Connection,
    rendering: Rendering,
    codes: Sequence[int],
    as_of: datetime,
    columns: Sequence[str],
) -> pl.DataFrame:
    """Return ``user_code`` and the columns of some users, ascending codes given."""
    connection.register("previewed", pl.DataFrame({"user_code": codes}, schema={"user_code": pl.UInt32}))
    rendering.render("previewed", codes[0], codes[-1])
    sql = (
        f"SELECT u.user_code, {', '.join(columns)} FROM users u JOIN ({profiles_at()}) p USING (user_code) "
        f"JOIN previewed w USING (user_code) {rendering.joins} WHERE u.user_code BETWEEN $first AND $last"
    )
    limits = {"first": codes[0], "last": codes[-1], "as_of": as_of, **rendering.bound(sql)}
    found = engine.frame(connection, sql, limits)
    connection.unregister("previewed")
    return found


def _sum(parts: Iterator[str]) -> str:
    return " + ".join(parts) or "0"
