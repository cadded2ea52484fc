"""What the lake says of one user at the instants of a run: asked as the plan asked, of few users.

The plan's own function looks the user up, together with everybody who shares an identity; no other user has
a say in a verdict before the cap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import polars as pl

from workbench import audience
from workbench.audience import Audience
from workbench.campaigns import control, duplicates, frequency, verdicts
from workbench.campaigns.candidates import identities_sql
from workbench.campaigns.control import Hold
from workbench.campaigns.groups import Standing
from workbench.campaigns.library import SavedCampaign
from workbench.errors import NotFoundError
from workbench.export.history import History, history
from workbench.export.ledger import Run, RunState
from workbench.segments.explain import Explanation, explain
from workbench.segments.model import Segment
from workbench.segments.sentence import sentence
from workbench.store import engine
from workbench.store.held import profiles_at
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace

LONGEST_LIKENED = 40
CODES = {"user_code": pl.UInt32}


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """Another profile with an identity of the user's.

    Attributes:
        shares: the names of the identities.
        held_by: the group that holds it out.
        first: whether it comes before the user in the order of the cap.
    """

    user_id: str
    shares: tuple[str, ...]
    qualified: bool
    held_by: str | None
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What can be said of one qualified user at the instants of a run.

    Attributes:
        row: of ``campaigns.candidates``; None for a user without a profile at the instant.
        decided: arm, group, verdict and reason without the cap; None as ``row``.
        identities: which of the mapped ones can be used, by name.
        flags: of consent, by attribute, as known at the send.
        twins: who shares an identity and is qualified or held out.
        messages: that frequency caps count: ``run_id, verdict, send_at, own``, and ``through`` (another profile of
            an address; null for the user's own), newest first; None without caps.
    """

    row: Mapping[str, Any] | None
    decided: Mapping[str, Any] | None
    identities: Mapping[str, bool]
    flags: Mapping[str, bool | None]
    twins: tuple[Twin, ...]
    messages: pl.DataFrame | None


@dataclass(frozen=True, kw_only=True)
class Narrowed(LakeVersion):
    """A lake version in which only some users are there."""

    codes: pl.DataFrame

    def connect(self, *, memory: str | None = None) -> engine.Connection:
        """Open a connection whose ``users`` are those of the codes; every other view is as it was."""
        connection = super().connect(memory=memory)
        connection.register("asked_about", self.codes)
        engine.execute(
            connection,
            f"CREATE OR REPLACE VIEW users AS FROM ({self.select('users')}) SEMI JOIN asked_about USING (user_code)",
        )
        return connection


def code_of(connection: engine.Connection, user_id: str) -> int:
    """Return the code of a user.

    Raises:
        NotFoundError: no such user; the message names near ones.
    """
    found = engine.rows(connection, "SELECT user_code FROM users WHERE user_id = $user", {"user": user_id})
    if found:
        return int(found[0][0])
    near = ""
    if len(user_id) <= LONGEST_LIKENED:
        rows = engine.rows(
            connection,
            "SELECT user_id FROM users WHERE abs(length(user_id) - length($user)) <= 1 AND "
            "levenshtein(user_id, $user) <= 2 ORDER BY levenshtein(user_id, $user), user_id LIMIT 3",
            {"user": user_id},
        )
        quoted = [f'"{name}"' for (name,) in rows]
        near = f" Did you mean {' or '.join(quoted)}?" if quoted else ""
    raise NotFoundError(f'no user "{user_id}" in the lake.{near}')


def asked(
    workspace: Workspace,
    run: Run,
    campaign: SavedCampaign,
    version: LakeVersion,
    connection: engine.Connection,
    user_id: str,
) -> Explanation:
    """Ask the pinned segment of a run about one user.

    Raises:
        NotFoundError: the lake version has no such user.
        SegmentError: it no longer fits the lake version.
        StoreError: a file of the version is gone or damaged.
    """
    segment = _segment(workspace, campaign)
    return explain(segment, user_id, run.as_of, scope=workspace.scope(version), connection=connection)


def gather(
    workspace: Workspace,
    run: Run,
    campaign: SavedCampaign,
    version: LakeVersion,
    connection: engine.Connection,
    user_id: str,
    *,
    frozen: pl.LazyFrame,
    standing: Standing,
    holds: Sequence[Hold],
) -> Evidence:
    """Ask everything about one qualified user again, at the run's own instants.

    Args:
        workspace: the account, with the salt of the run.
        run: whose instants are used.
        campaign: at the version of the run.
        version: the lake version of the run.
        connection: of that version; nothing else uses it meanwhile.
        user_id: who.
        frozen: the run's audience: which of the others were qualified.
        standing: the account's control groups as they stood at the run.
        holds: the groups that hold users of the campaign out.

    Raises:
        NotFoundError: the lake version has no such user.
        ProblemsError: the settings or the segment no longer fit the lake version.
        StoreError: a file of the version is gone or damaged.
    """
    code = code_of(connection, user_id)
    segment = _segment(workspace, campaign)
    workspace.check_attributes(version)
    found = _twins(workspace, run, connection, version, code, standing=standing, holds=holds)
    everybody = pl.DataFrame({"user_code": sorted([code, *found["user_code"]])}, schema=CODES)
    qualified = frozen.select("user_code").join(everybody.lazy(), on="user_code", how="semi").collect()
    narrowed = Narrowed(
        **{item.name: getattr(version, item.name) for item in fields(version)}, codes=everybody
    )
    rules = frequency.rules(campaign.campaign, workspace.settings.frequency)
    before = _before(workspace, run, rules)
    marked = audience.mark(
        workspace,
        Audience(
            campaign=campaign, as_of=run.as_of, version=narrowed, sentence=sentence(segment.condition),
            users=qualified, segment=segment,
        ),
        run=run.run_id,
        control_share=campaign.campaign.control.share,
        consent_at=run.created_at,
        standing=standing,
        before=before,
    )  # fmt: skip
    decided = verdicts.decide(marked, cap=None, send_at=run.created_at, blocked=run.state is RunState.BLOCKED)
    chosen = set(qualified["user_code"])
    return Evidence(
        row=_only(marked, code),
        decided=_only(decided, code),
        identities=_usable(workspace, connection, version, code, run.as_of),
        flags=_flags(workspace, connection, version, code, max(run.as_of, run.created_at)),
        twins=tuple(
            Twin(
                user_id=row["user_id"],
                shares=tuple(name for name in _shared(workspace) if row[f"shares {name}"]),
                qualified=row["user_code"] in chosen,
                held_by=row["held_by"],
                first=row["first"],
            )
            for row in found.iter_rows(named=True)
            if row["user_code"] in chosen or row["held_by"] is not None
        ),
        messages=_messages(connection, before, code, found) if rules.any else None,
    )


def _messages(connection: engine.Connection, before: History, code: int, twins: pl.DataFrame) -> pl.DataFrame:
    """Return the messages to a user, and to whoever shares an address: ``through`` is that one's id."""
    told = frequency.messages(connection, before.runs, [code, *twins["user_code"]])
    others = twins.select("user_code", through="user_id")
    return told.join(others, on="user_code", how="left", maintain_order="left").drop("user_code")


def _before(workspace: Workspace, run: Run, rules: frequency.Rules) -> History:
    """Return the runs whose messages were counted when a run was reserved."""
    return history(
        workspace.database,
        workspace.settings.directory,
        rules,
        campaign_id=run.campaign_id,
        run_id=run.run_id,
        receiver=run.receiver,
        environment=run.environment,
        now=run.created_at,
        before=run.number,
    )


def _segment(workspace: Workspace, campaign: SavedCampaign) -> Segment:
    pin = campaign.campaign.segment
    return workspace.segments.get(pin.name, pin.version).segment


def _shared(workspace: Workspace) -> list[str]:
    """The identities that two profiles can share: all but the user's own id."""
    return [name for name, attribute in workspace.settings.identities.items() if attribute != "user_id"]


def _twins(
    workspace: Workspace,
    run: Run,
    connection: engine.Connection,
    version: LakeVersion,
    code: int,
    *,
    standing: Standing,
    holds: Sequence[Hold],
) -> pl.DataFrame:
    """Return who else has an identity of the user's: ``user_code, user_id, held_by, first``, and a flag each."""
    settings = workspace.settings
    values = identities_sql(settings.identities, version.catalogue)
    names = _shared(workspace)
    digests = [f"{duplicates.digest(values[name])} AS digest_{n}" for n, name in enumerate(names)]
    same = [f"coalesce(u.digest_{n} = asked.digest_{n}, false)" for n in range(len(names))]
    shares = [f"{part} AS {engine.quote(f'shares {name}')}" for part, name in zip(same, names, strict=True)]
    key = f"left(md5($cap_salt || ':' || {{}}.user_id), {control.CAP_DIGITS})"
    sql = f"""
WITH everyone AS (
  SELECT {", ".join(["u.user_code, u.user_id", *digests])} FROM users u JOIN ({profiles_at()}) p USING (user_code)
), asked AS (SELECT * FROM everyone WHERE user_code = $code)
SELECT {", ".join(["u.user_code, u.user_id", *shares])},
  {control.held_by_sql(holds, never=bool(standing.never))} AS held_by,
  ({key.format("u")}, u.user_code) < ({key.format("asked")}, asked.user_code) AS first
FROM everyone u, asked WHERE u.user_code <> asked.user_code AND ({" OR ".join(same) or "false"})
ORDER BY u.user_id"""
    return engine.frame(
        connection,
        sql,
        {
            "as_of": run.as_of, "code": code, "cap_salt": control.cap_salt(settings.account.salt, run.run_id),
            **control.held_by_parameters(holds, standing.never),
        },
    )  # fmt: skip


def _usable(
    workspace: Workspace, connection: engine.Connection, version: LakeVersion, code: int, as_of: datetime
) -> dict[str, bool]:
    """Return which mapped identities a user has; nothing of their values."""
    values = identities_sql(workspace.settings.identities, version.catalogue)
    columns = [f"{value} IS NOT NULL AS {engine.quote(name)}" for name, value in values.items()]
    return _of_profile(connection, columns, code, as_of)


def _flags(
    workspace: Workspace, connection: engine.Connection, version: LakeVersion, code: int, instant: datetime
) -> dict[str, bool | None]:
    """Return the flags of consent as known at an instant, by attribute."""
    consent = workspace.settings.consent
    names = dict.fromkeys([*([consent.unsubscribed] if consent.unsubscribed else []), *consent.required])
    attributes = version.catalogue.attributes
    columns = [f"p.{engine.quote(attributes[name].column)} AS {engine.quote(name)}" for name in names]
    return _of_profile(connection, columns, code, instant)


def _of_profile(
    connection: engine.Connection, columns: Sequence[str], code: int, instant: datetime
) -> dict[str, Any]:
    if not columns:
        return {}
    sql = (
        f"SELECT {', '.join(columns)} FROM users u JOIN ({profiles_at()}) p USING (user_code) "
        "WHERE u.user_code = $code"
    )
    found = engine.frame(connection, sql, {"as_of": instant, "code": code}).to_dicts()
    return found[0] if found else {}


def _only(frame: pl.DataFrame, code: int) -> dict[str, Any] | None:
    rows = frame.filter(pl.col("user_code") == code).to_dicts()
    return rows[0] if rows else None
