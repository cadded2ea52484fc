"""Byte-exact replay: a run's bodies built again from its snapshot and versions, and all of its records compared."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from workbench import lookup
from workbench.campaigns import verdicts
from workbench.campaigns.library import SavedCampaign
from workbench.errors import DamagedError, InputError, StoreError
from workbench.export import frozen, packing
from workbench.export.ledger import Kind, Purpose, Request, Run
from workbench.proof import leaving, trail
from workbench.proof.check import Check, rows, some
from workbench.runs.reserving import bodies
from workbench.store.canonical import content_digest
from workbench.workspace import Workspace

Report = Callable[[str, int, int], None]
ROW = ["verdict", "reason", "arm", "held_by"]
COLUMNS = {"user_code": pl.UInt32, "request": pl.UInt32, **dict.fromkeys(ROW, pl.String)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Everything that was looked at of one run."""

    run_id: str
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool | None:
        """Whether everything is as it was recorded; None where nothing is wrong and something cannot be told."""
        answers = {check.holds for check in self.checks}
        return False if False in answers else None if None in answers else True


def verify(
    workspace: Workspace, run_id: str, *, report: Report = lambda label, done, total: None
) -> Verified:
    """Compare a run with its files, and build its requests again from its snapshot and versions.

    Args:
        workspace: the account.
        run_id: whose.
        report: told the step, the users done and their total.

    Raises:
        NotFoundError: no such run.
        StoreError: the ledger cannot be read; one of its rows that is damaged is a check that fails.
    """
    try:
        record = trail.read(workspace, run_id)
        saved, check = _campaign(workspace, record.run)
        digest = saved.stored.digest if saved else None
        checks = [check, *trail.checks(workspace.trail, record, digest)]
    except DamagedError as error:
        return Verified(run_id=run_id, checks=(Check(name="ledger", holds=False, sentence=str(error)),))
    run, requests = record.run, record.requests
    try:
        audience = rows(lookup.audience(workspace.settings.directory, run), COLUMNS, "audience")
    except StoreError as error:
        checks.append(Check(name="audience", holds=False, sentence=str(error)))
    else:
        said = f"sha256 {run.audience_digest[:16]}…, {audience.height:,} users"
        checks.append(Check(name="audience", holds=True, sentence=said))
        checks += _audience(run, saved, audience)
        checks.append(_counts(requests, audience))
        checks += leaving.checks(workspace, run, requests)
        checks.append(_frozen(workspace.settings.directory / run.bodies_path, requests))
        checks.append(_rebuilt(workspace, run, saved, audience, requests, report))
    return Verified(run_id=run_id, checks=tuple(checks))


def _campaign(workspace: Workspace, run: Run) -> tuple[SavedCampaign | None, Check]:
    """Return the campaign as the run had it, None where it cannot be read, and whether it is as it was saved."""
    name = "campaign"
    try:
        saved = workspace.campaigns.get(run.campaign_id, run.campaign_version)
    except (InputError, DamagedError) as error:
        return None, Check(name=name, holds=False, sentence=" ".join(str(error).split()))
    stored = saved.stored
    holds = content_digest(stored.body) == stored.digest
    said = "has the content that was saved" if holds else "is not the content that was saved"
    return saved, Check(name=name, holds=holds, sentence=f"{stored.id} version {stored.version} {said}")


def _audience(run: Run, saved: SavedCampaign | None, audience: pl.DataFrame) -> Iterator[Check]:
    """Compare the snapshot with what the ledger counted, and with what no snapshot may hold."""
    counted = audience.group_by(ROW).agg(users=pl.len().cast(pl.Int64))
    recorded = pl.DataFrame(list(run.verdicts), schema=verdicts.WATERFALL)
    differing = counted.join(recorded, on=[*ROW, "users"], how="full", nulls_equal=True, coalesce=False)
    wrong = differing.filter(pl.col("users").is_null() | pl.col("users_right").is_null()).height
    total = audience.height == run.qualified
    said = f"{run.qualified:,} users in {recorded.height} kinds of verdict, as the snapshot has them"
    if wrong or not total:
        said = f"the ledger counts {run.qualified:,} users, the snapshot {audience.height:,}; {wrong} counts differ"
    yield Check(name="verdicts", holds=not wrong and total, sentence=said)
    sent = audience.filter(pl.col("verdict") == verdicts.SEND)
    cap = saved.campaign.cap.per_run if saved and run.purpose is Purpose.CAMPAIGN else None
    held = sent.filter(pl.col("arm") != verdicts.TARGET).height
    twice = audience.height - audience["user_code"].n_unique()
    astray = audience.filter((pl.col("verdict") == verdicts.SEND) != pl.col("request").is_not_null()).height
    faults = [f"{held:,} held-out users among the sent"] if held else []
    faults += (
        [f"{sent.height:,} sent over the cap of {cap:,}"] if cap is not None and sent.height > cap else []
    )
    faults += [f"{twice:,} users twice"] if twice else []
    faults += [f"{astray:,} users with a request and no send, or without one"] if astray else []
    fine = f"{sent.height:,} sent to, each once, none of them held out, none over the cap"
    yield Check(name="arms and cap", holds=not faults, sentence="; ".join(faults) or fine)


def _counts(requests: list[Request], audience: pl.DataFrame) -> Check:
    """Each request holds the users that the snapshot gives it."""
    counted = dict(audience.drop_nulls("request").group_by("request").len().iter_rows())
    recorded = {item.number: item.users for item in requests if item.kind is Kind.MESSAGE}
    differing = sorted(
        number for number in counted.keys() | recorded.keys() if counted.get(number) != recorded.get(number)
    )
    gaps = [request.number for request in requests] != list(range(1, len(requests) + 1))
    said = f"{len(requests):,} requests, with the users that the snapshot gives them"
    if differing or gaps:
        said = f"requests {some(differing)} hold other users than the snapshot says" if differing else ""
        said = "; ".join(part for part in (said, "numbers are missing" if gaps else "") if part)
    return Check(name="requests", holds=not differing and not gaps, sentence=said)


def _frozen(path: Path, requests: list[Request]) -> Check:
    """Each body has the digest that was recorded, and nothing else is in the file."""
    wrong = []
    for request in requests:
        try:
            frozen.read_body(path, request)
        except StoreError:
            wrong.append(request.number)
    size = path.stat().st_size if path.is_file() else -1
    whole = size == sum(request.length + 1 for request in requests)
    said = f"{max(size, 0):,} bytes, every body with its digest"
    if wrong or not whole:
        said = (
            f"the bodies of requests {some(wrong)} are not what was frozen" if wrong else "bytes were added"
        )
    return Check(name="frozen bodies", holds=not wrong and whole, sentence=said)


def _rebuilt(
    workspace: Workspace,
    run: Run,
    saved: SavedCampaign | None,
    audience: pl.DataFrame,
    requests: list[Request],
    report: Report,
) -> Check:
    """Build the bodies again and compare their digests."""
    name = "built again"
    if run.salt_digest != workspace.settings.salt_digest:
        return Check(name=name, holds=None, sentence="the account has another salt now")
    if saved is None:
        return Check(name=name, holds=None, sentence="cannot be: the campaign cannot be read")
    recorded = {request.number: request.digest for request in requests}
    recipients = audience.filter(pl.col("verdict") == verdicts.SEND).select("user_code")
    wrong, built, done = [], 0, 0
    try:
        version = workspace.lake.at(run.lake_version)
        with closing(version.connect()) as connection:
            parts = bodies(
                workspace, saved, version, connection, recipients, run_id=run.run_id, as_of=run.as_of,
                send_at=run.created_at, environment=run.environment, test=run.purpose is Purpose.TEST,
            )  # fmt: skip
            with closing(parts):
                for number, packed in enumerate(packing.pack(parts), 1):
                    if hashlib.sha256(packed.body).hexdigest() != recorded.get(number):
                        wrong.append(number)
                    built, done = number, done + len(packed.users)
                    report("verify", done, recipients.height)
            others, built = leaving.rebuilt(workspace, run, saved, version, connection, recorded, built)
            wrong += others
    except (InputError, StoreError) as error:
        return Check(name=name, holds=None, sentence=f"cannot be: {' '.join(str(error).split())}")
    if wrong or built != len(requests):
        what = (
            f"requests {some(wrong)} come out with other bytes" if wrong else f"{built:,} requests come out"
        )
        return Check(
            name=name, holds=False,
            sentence=f"{what}: settings, campaign, lake or ledger are not those of the run",
        )  # fmt: skip
    said = f"{built:,} requests from lake version {run.lake_version}, each byte the same"
    return Check(name=name, holds=True, sentence=said)
