"""One arm and one verdict for every qualified user; the order of the steps is the order of this file.

Every step looks at both arms alike, so that those who would have been sent to (``send``) have a
like-for-like comparison (``holdout``). Whoever cannot be sent to uses no place of the cap.
"""

from datetime import datetime

import numpy as np
import polars as pl

from workbench.campaigns.content.rendering import ABORTED, RENDER_ERROR
from workbench.campaigns.control import CAMPAIGN, SYSTEM

SEND, HOLDOUT, NOT_SENT = "send", "holdout", "not sent"
TARGET, CONTROL = "target", "control"

SAFETY = "safety check"
DUPLICATE = "duplicate identity"
NOT_REACHABLE = "not reachable"
UNSUBSCRIBED = "unsubscribed"
NO_CONSENT = "consent missing"
GLOBAL_FREQUENCY = "global frequency cap"
CAMPAIGN_FREQUENCY = "campaign frequency cap"
INVALID = "invalid profile"
RUN_LIMIT = "campaign limit for the run"
# While a run is sent: of those whose verdict was ``send``.
STOPPED = "campaign stopped"
REJECTED = "rejected by mParticle"
UNKNOWN = "outcome unknown"

# A text of which many users have the same: four bytes a user.
TEXT = pl.Categorical(pl.Categories("verdicts", "workbench"))
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "user_code": pl.UInt32, "arm": pl.Enum([TARGET, CONTROL]), "held_by": TEXT,
    "verdict": pl.Enum([SEND, HOLDOUT, NOT_SENT]), "reason": TEXT, "send_at": pl.Datetime("us", "UTC"),
}  # fmt: skip
# Users whose texts are put together or counted at once: they are long meanwhile.
USERS = 245_760


WATERFALL: dict[str, type[pl.DataType]] = {
    "verdict": pl.String, "reason": pl.String, "arm": pl.String, "held_by": pl.String, "users": pl.Int64,
}  # fmt: skip


def decide(
    candidates: pl.DataFrame, *, cap: int | None, send_at: datetime, blocked: bool = False
) -> pl.DataFrame:
    """Give every candidate an arm, a verdict and, when not sent to, the reason.

    Args:
        candidates: the frame of ``candidates.candidates``.
        cap: places in this run; None for no limit.
        send_at: the instant of the send (for the held out: when they would have been sent to).
        blocked: whether the safety check lets nobody be sent to; it comes before every other reason.

    Returns:
        One row a candidate, in the same order, with the columns of ``SCHEMA``.
    """
    held = pl.col("held_by").is_not_null()
    arms = candidates.select(
        "user_code",
        "held_by",
        arm=pl.when(held).then(_lit(CONTROL, "arm")).otherwise(_lit(TARGET, "arm")),
        reason=pl.concat([_reason(part, blocked=blocked) for part in _parts(candidates)]),
    )
    capped = _over_the_cap(arms, candidates["cap_key"], cap)
    return (
        arms.with_columns(reason=pl.when(capped).then(_lit(RUN_LIMIT, "reason")).otherwise("reason"))
        .with_columns(
            verdict=pl.when(pl.col("reason").is_not_null()).then(_lit(NOT_SENT, "verdict"))
            .when(pl.col("arm") == CONTROL).then(_lit(HOLDOUT, "verdict"))
            .otherwise(_lit(SEND, "verdict")),
            send_at=pl.lit(send_at, dtype=pl.Datetime("us", "UTC")),
        )
        .select(*SCHEMA)
    )  # fmt: skip


def _parts(users: pl.DataFrame) -> list[pl.DataFrame]:
    """Cut users into parts, at least one."""
    return list(users.iter_slices(USERS)) or [users]


def _lit(text: str, column: str) -> pl.Expr:
    return pl.lit(text, dtype=SCHEMA[column])


def _reason(candidates: pl.DataFrame, *, blocked: bool) -> pl.Series:
    """Return for each candidate the first step that stops them; null for none."""
    return candidates.select(
        reason=pl.when(pl.lit(blocked)).then(_lit(SAFETY, "reason"))
        .when("duplicate").then(_lit(DUPLICATE, "reason"))
        .when(~pl.col("reachable")).then(_lit(NOT_REACHABLE, "reason"))
        .when("unsubscribed").then(_lit(UNSUBSCRIBED, "reason"))
        .when("consent_missing").then(_lit(NO_CONSENT, "reason"))
        .when(pl.col("too_often").is_not_null()).then("too_often")
        .when(pl.col("render").is_not_null()).then("render")
        .when(pl.col("lint").is_not_null()).then((pl.lit(f"{INVALID}: ") + pl.col("lint")).cast(TEXT))
    )["reason"]  # fmt: skip


def _over_the_cap(arms: pl.DataFrame, cap_keys: pl.Series, cap: int | None) -> pl.Series:
    """Mark the target users whom the cap leaves out: those behind the first ``cap`` in hash order."""
    able = ((arms["arm"] == TARGET) & arms["reason"].is_null()).to_numpy()
    if cap is None or np.count_nonzero(able) <= cap:
        return pl.Series([False], dtype=pl.Boolean).new_from_index(0, arms.height)
    keys, codes = cap_keys.to_numpy(), arms["user_code"].to_numpy()
    last = np.partition(keys[able], cap - 1)[cap - 1] if cap else keys.min()
    tied = np.flatnonzero(able & (keys == last))
    places = cap - np.count_nonzero(able & (keys < last))
    left_out = able & (keys > last)
    left_out[tied[np.argsort(codes[tied])][places:]] = True
    return pl.Series(left_out, dtype=pl.Boolean)


def waterfall(verdicts: pl.DataFrame) -> pl.DataFrame:
    """Count users by verdict, reason, arm and the group that holds them out.

    Returns:
        The columns of ``WATERFALL``, in the order of the steps; the users add up to the qualified.
    """
    order = [
        SAFETY, DUPLICATE, NOT_REACHABLE, UNSUBSCRIBED, NO_CONSENT, GLOBAL_FREQUENCY, CAMPAIGN_FREQUENCY,
        RENDER_ERROR, ABORTED, INVALID, RUN_LIMIT,
    ]  # fmt: skip
    rank = pl.coalesce(
        *(pl.when(pl.col("reason").str.starts_with(name)).then(pl.lit(n)) for n, name in enumerate(order)),
        pl.when(pl.col("verdict") == HOLDOUT).then(pl.lit(len(order))),
        pl.lit(len(order) + 1),
    )
    alike = ("verdict", "reason", "arm", "held_by")
    parts = [part.group_by(alike).agg(users=pl.len().cast(pl.Int64)) for part in _parts(verdicts)]
    return (
        pl.concat(parts)
        .group_by(alike)
        .agg(pl.col("users").sum())
        .cast(WATERFALL)  # type: ignore[arg-type]
        .sort(rank, "reason", pl.col("arm") != TARGET, *_by_group())
    )


def steps(waterfall: pl.DataFrame) -> pl.DataFrame:
    """Fold a waterfall into what people read: one row a reason, and one a group for the held out.

    Args:
        waterfall: with the columns of ``WATERFALL``; a run of an earlier version has no ``held_by``.

    Returns:
        ``verdict, reason, held_by, target, control, users``; ``held_by`` is null unless the verdict is
        ``holdout``.
    """
    held_by = pl.when(pl.col("verdict") == HOLDOUT).then(pl.coalesce("held_by", pl.lit(CAMPAIGN)))
    return (
        waterfall.with_columns(held_by=held_by)
        .group_by("verdict", "reason", "held_by", maintain_order=True)
        .agg(
            target=pl.col("users").filter(pl.col("arm") == TARGET).sum(),
            control=pl.col("users").filter(pl.col("arm") == CONTROL).sum(),
            users=pl.col("users").sum(),
        )
    )


def held_label(held_by: str) -> str:
    """Return what people read for the users of a group.

    >>> held_label("system"), held_label("campaign")
    ('Held out (system)', 'Held out (control)')
    """
    return f"Held out ({'control' if held_by == CAMPAIGN else held_by})"


def _by_group() -> tuple[pl.Expr, ...]:
    """Order of the groups: system, custom by name, the campaign's own."""
    return pl.col("held_by") != SYSTEM, pl.col("held_by") == CAMPAIGN, pl.col("held_by")
