"""Lists of a run's users: they add up to the waterfall, and a name that does not exist is an error."""

import polars as pl
import pytest
from accounts import NOW, Account, people, purchases

from workbench import charts, runs
from workbench.campaigns import verdicts
from workbench.errors import InputError, NotFoundError, StoreError
from workbench.export.ledger import Run
from workbench.export.sandbox import Receiver
from workbench.lookup import how_many, users


@pytest.fixture
def sent(account: Account, receiver: Receiver) -> Run:
    """10 buyers: two notes too long, one unsubscribed, one without any value; a cap of 3."""
    rows = people(10)
    for row in rows:
        row["note"] = "x"
    rows[0]["note"] = rows[1]["note"] = "x" * 5000
    rows[2]["unsubscribed"] = True
    rows[3]["note"] = None
    account.ingest("profiles", rows)
    account.ingest("events", purchases(10))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    content = {"attributes": ["note"], "values": {"say": "{{ Profile.note }}"}}
    account.save_campaign("hello", "buyers", cap={"per_run": 3}, content=content)
    return runs.execute(account.workspace, runs.plan(account.workspace, "hello", as_of=NOW)).run


def test_the_capped_can_be_listed(account: Account, sent: Run) -> None:
    """Of 6 who could be sent to 3 were; the others are listed with their verdict and no request."""
    found = users(account.workspace, sent.run_id, reason="campaign limit for the run")
    assert found.columns == ["user_id", "arm", "held_by", "verdict", "reason", "send_at", "request", "state"]
    assert (found.height, found["verdict"].unique().to_list()) == (3, ["not sent"])
    assert found["state"].null_count() == 3
    chosen = users(account.workspace, sent.run_id, verdict="send")
    assert chosen["state"].to_list() == ["accepted"] * 3
    assert set(found["user_id"]) | set(chosen["user_id"]) == {f"{n:05d}" for n in range(4, 10)}


def test_a_reason_is_found_by_what_stands_before_its_colon(account: Account, sent: Run) -> None:
    """The two with a long note, in full or by the step; a part of a word is no reason."""
    wanted = [
        "invalid profile",
        "invalid profile: say over 4096 characters",
        "invalid profile: note over 4096 characters",
    ]
    by_step = users(account.workspace, sent.run_id, reason=wanted[0])
    assert by_step["user_id"].to_list() == ["00000", "00001"]
    in_full = by_step["reason"][0]
    assert in_full in wanted
    assert how_many(account.workspace, sent.run_id, reason=in_full) == 2
    with pytest.raises(InputError, match=r'unknown reason "invalid prof"\. Did you mean "invalid profile'):
        users(account.workspace, sent.run_id, reason="invalid prof")


def test_a_list_of_every_row_of_the_waterfall_adds_up(account: Account, sent: Run) -> None:
    """Each row counts its own list; together they are the qualified."""
    counted = [
        how_many(account.workspace, sent.run_id, verdict=row["verdict"], reason=row["reason"], arm=row["arm"])
        for row in sent.verdicts
        if row["reason"] is not None or row["verdict"] == "send"
    ]
    assert counted == [row["users"] for row in sent.verdicts]
    assert sum(counted) == sent.qualified == how_many(account.workspace, sent.run_id) == 10


def test_a_limit_leaves_out_the_last(account: Account, sent: Run) -> None:
    """The first two in the order of the audience; a reason that nobody has is an empty list."""
    assert users(account.workspace, sent.run_id, limit=2)["user_id"].to_list() == ["00000", "00001"]
    assert users(account.workspace, sent.run_id, reason="duplicate identity").height == 0
    assert how_many(account.workspace, sent.run_id, arm="control") == 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"verdict": "notsent"}, 'unknown verdict "notsent". Did you mean "not sent"?'),
        ({"arm": "everyone"}, 'unknown arm "everyone". Known are: "target", "control"'),
        ({"reason": "unsubscribd"}, 'unknown reason "unsubscribd". Did you mean "unsubscribed"?'),
    ],
)
def test_a_name_that_does_not_exist_is_an_error(
    account: Account, sent: Run, wanted: dict[str, str], said: str
) -> None:
    """Never an empty list for a typing error."""
    with pytest.raises(InputError) as caught:
        users(account.workspace, sent.run_id, **wanted)
    assert said in str(caught.value)


def test_a_list_is_of_what_was_frozen(account: Account, sent: Run) -> None:
    """No such run; an audience that was changed."""
    with pytest.raises(NotFoundError, match="Did you mean"):
        users(account.workspace, sent.run_id[:-1])
    path = account.workspace.settings.directory / sent.audience_path
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(StoreError, match="is not what was frozen"):
        users(account.workspace, sent.run_id)


def test_chart_and_table_of_every_reason_add_up() -> None:
    """Nine reasons in both arms and three groups: the bars fall from the qualified to the sent without a gap."""
    reasons = [
        "safety check", "duplicate identity", "not reachable", "unsubscribed", "consent missing",
        "render error: Profile.x missing", "aborted by template: no", "invalid profile: note over 4096 characters",
        "campaign limit for the run",
    ]  # fmt: skip
    rows = [
        {"verdict": "not sent", "reason": reason, "arm": arm, "held_by": by, "users": n + 1}
        for n, reason in enumerate(reasons)
        for arm, by in (("target", None), ("control", "system"), ("control", "campaign"))
    ]
    rows += [
        {"verdict": "holdout", "reason": None, "arm": "control", "held_by": by, "users": 7}
        for by in ("system", "custom: vip", "campaign")
    ]
    rows.append({"verdict": "send", "reason": None, "arm": "target", "held_by": None, "users": 50})
    frame = pl.DataFrame(rows, schema=verdicts.WATERFALL)
    whole = 3 * 45 + 21 + 50
    found = verdicts.steps(frame)
    assert (found["users"].sum(), found["target"].sum() + found["control"].sum()) == (whole, whole)
    assert found.height == 9 + 3 + 1
    (bars,) = charts.waterfall(frame).data
    edges = list(zip(bars.base, bars.x, strict=True))
    assert edges[0] == (0, whole)
    left = whole
    for base, length in edges[1:-1]:
        assert base + length == left
        left = base
    assert edges[-1] == (0, left) == (0, 50)
