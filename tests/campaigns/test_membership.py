"""What a campaign may say of the audience that it keeps, and who is in it after any history."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import NOW, Account, make_account
from export.encoding import CATALOGUE
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.campaigns import codec, duplicates, leavers, membership
from workbench.campaigns.membership import HELD_OUT, NO_IDENTITY, NOT_QUALIFIED, SHARED
from workbench.errors import CampaignError
from workbench.export.ledger import Kind, Request, RequestState, Run, RunState
from workbench.export.members import changes
from workbench.store import engine, tables


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("", "is empty"), ("  ", "is empty"), (" in_club", "has a blank at an edge"),
        ("$in_club", "names with $ are mParticle's own"), ("x" * 257, "has 257 characters, at most 256"),
        ("Country", "is sent as a profile attribute too"), ("EMAIL", "is an attribute of the profiles"),
    ],
)  # fmt: skip
def test_an_attribute_that_cannot_be_kept(shop: Account, attribute: str, said: str) -> None:
    """MParticle cuts a long name without a word, and keeps some names for itself."""
    with pytest.raises(CampaignError) as caught:
        shop.save_campaign(
            "hello", "buyers", membership={"attribute": attribute}, content={"attributes": ["country"]}
        )
    assert "- membership > attribute: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"attribute": "in_club", "leaving": "false"}, "membership > leaving"),
        ({"attribute": "in_club", "leaving": False}, "membership > leaving"),
        ({"leaving": "delete"}, "membership > attribute"),
        ({"attribute": "in_club", "entering": "true"}, "membership > entering"),
        ({"attribute": 7}, "membership > attribute"),
    ],
)
def test_what_does_not_fit_is_named(body: dict[str, Any], path: str) -> None:
    """Every key and value, with its path."""
    with pytest.raises(CampaignError, match=path):
        codec.from_json({"id": "a", "name": "A", "segment": {"name": "s"}, "membership": body})


def test_a_live_campaign_keeps_none() -> None:
    """Nobody leaves it."""
    body = {
        "id": "a",
        "name": "A",
        "segment": {"name": "s"},
        "kind": "live",
        "membership": {"attribute": "x"},
    }
    (problem,) = membership.problems(codec.from_json(body), CATALOGUE)
    assert problem.message == "a live campaign keeps no audience: nobody leaves it"


def test_a_hundred_attributes_are_enough() -> None:
    """MParticle takes 100 in a batch, the one of the audience among them."""
    names = [f"a{n}" for n in range(100)]
    body = {
        "id": "a", "name": "A", "segment": {"name": "s"}, "membership": {"attribute": "x"},
        "content": {"attributes": names},
    }  # fmt: skip
    (problem,) = membership.problems(codec.from_json(body), CATALOGUE)
    assert problem.message == "beside 100 attributes it is one too many; mParticle takes 100"
    body["content"] = {"attributes": names[1:]}
    assert list(membership.problems(codec.from_json(body), CATALOGUE)) == []


def test_it_is_written_as_it_was_read(shop: Account) -> None:
    """And a copy of a campaign keeps no audience: two would take out each other's users."""
    shop.save_campaign("hello", "buyers", membership={"attribute": "in_club", "leaving": "delete"})
    workspace = shop.workspace
    saved = workspace.campaigns.get("hello").campaign
    assert codec.to_json(saved)["membership"] == {"attribute": "in_club", "leaving": "delete"}
    copy = workspace.campaigns.clone("hello", "again", catalogue=workspace.lake.at().catalogue, now=NOW)
    assert copy.campaign.membership is None


def test_the_sentence_adds_up() -> None:
    """One user and many, one reason and several."""
    rows = [
        {"reason": NOT_QUALIFIED, "kept": None, "users": 1200}, {"reason": HELD_OUT, "kept": None, "users": 34},
        {"reason": NOT_QUALIFIED, "kept": NO_IDENTITY, "users": 4}, {"reason": HELD_OUT, "kept": NO_IDENTITY, "users": 1},
    ]  # fmt: skip
    assert membership.sentence(rows) == (
        "1,234 users leave the audience (no longer qualifies 1,200, held out 34); 5 cannot be told: no identity"
    )
    assert membership.sentence([]) == "0 users leave the audience"
    one = [{"reason": HELD_OUT, "kept": None, "users": 1}, {"reason": HELD_OUT, "kept": SHARED, "users": 2}]
    assert membership.sentence(one) == (
        "1 user leaves the audience (held out 1); 2 cannot be told: address shared with the audience"
    )


# What became of a request: its state, and when its answer came.
Outcome = tuple[RequestState, int]
STATES = st.sampled_from(list(RequestState))
OUTCOMES = st.tuples(STATES, st.integers(0, 60))
RUNS = st.tuples(
    st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1), OUTCOMES), max_size=2),
    st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1), OUTCOMES), max_size=2),
    st.booleans(),
)


def naive(history: Iterable[Any]) -> set[int]:
    """Who is in the audience: every user alone, every answer in the order in which it came."""
    found = set()
    history = list(history)
    for user in range(6):
        came: list[tuple[float, int, bool]] = []
        for messages, leaves, stopped in history:
            for users, (state, at) in messages:
                if user not in users:
                    continue
                if state is RequestState.ACCEPTED:
                    came.append((at, 1, True))
                elif state in {RequestState.SENT, RequestState.UNKNOWN}:
                    came.append((41 if stopped else 99, 1, True))
            came += [
                (at, 0, False)
                for users, (state, at) in leaves
                if user in users and state is RequestState.ACCEPTED
            ]
        if came and max(came)[2]:
            found.add(user)
    return found


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """A ledger for all examples: each one is a campaign of its own."""
    return make_account(tmp_path_factory.mktemp("members") / "home")


START = datetime(2026, 7, 1, tzinfo=UTC)
NUMBERS = iter(range(10**6))


def written(account: Account, campaign: str, history: list[Any]) -> None:
    """Write runs, their files and what became of their requests."""
    directory: Path = account.workspace.settings.directory
    for number, (messages, leaves, stopped) in enumerate(history):
        folder = f"runs/{campaign}/{number}"
        (directory / folder).mkdir(parents=True)
        kinds = [(Kind.MESSAGE, item) for item in messages] + [(Kind.LEAVE, item) for item in leaves]
        rows = [
            (kind, place, user) for place, (kind, (users, _)) in enumerate(kinds, 1) for user in sorted(users)
        ]
        for kind, name in ((Kind.MESSAGE, "audience"), (Kind.LEAVE, "leaving")):
            of = [(user, place) for which, place, user in rows if which is kind]
            frame = pl.DataFrame(of, schema={"user_code": pl.UInt32, "request": pl.UInt32}, orient="row")
            frame.with_columns(verdict=pl.lit("send")).write_parquet(directory / folder / f"{name}.parquet")
        run = Run(
            run_id=f"{campaign}-{number}", campaign_id=campaign, campaign_version=1,
            occurrence=START + timedelta(days=number), as_of=START, lake_version=1, environment="development",
            state=RunState.RUNNING, audience_path=f"{folder}/audience.parquet", audience_digest="d",
            bodies_path="b", receiver="localhost", key_digest="k", salt_digest="s", qualified=0, verdicts=[],
            created_at=START, created_by="tester", membership={"attribute": "x", "leaving": "delete", "users": []},
        )  # fmt: skip
        requests = [
            Request(
                number=place, state=RequestState.RESERVED, offset=0, length=1, digest="d", users=len(users),
                batches=len(users), kind=kind,
            )
            for place, (kind, (users, _)) in enumerate(kinds, 1)
        ]  # fmt: skip
        assert account.workspace.ledger.reserve(run, requests) == "done"
        with account.workspace.database.transaction() as sql:
            request = tables.requests
            for place, (_, (_, (state, at))) in enumerate(kinds, 1):
                answered = (
                    None
                    if state in {RequestState.RESERVED, RequestState.SENT}
                    else START + timedelta(hours=at)
                )
                where = (request.c.run_id == run.run_id, request.c.number == place)
                sql.execute(request.update().where(*where).values(state=state, answered_at=answered))
            if stopped:
                values = {"state": RunState.STOPPED, "finished_at": START + timedelta(hours=41)}
                sql.execute(tables.runs.update().where(tables.runs.c.run_id == run.run_id).values(values))


@settings(deadline=None, max_examples=60)
@given(st.lists(RUNS, max_size=4))
def test_who_is_in_it_after_any_history(account: Account, history: list[Any]) -> None:
    """As plain Python has it, a user and an answer at a time; leaves come before messages of the same instant."""
    campaign = f"c{next(NUMBERS)}"
    written(account, campaign, history)
    found = changes(
        account.workspace.database, account.workspace.settings.directory, attribute="x", campaign_id=campaign,
        run_id="this", receiver="localhost", environment="development",
    )  # fmt: skip
    members = leavers.members(engine.connect(), found.runs)
    assert set(members["user_code"]) == naive(history)


def test_only_its_own_runs_count(account: Account) -> None:
    """To the same receiver and environment, before the run, with the same attribute, and no test."""
    campaign = f"c{next(NUMBERS)}"
    entered = ([({1}, (RequestState.ACCEPTED, 1))], [], False)
    written(account, campaign, [entered])

    def found(**other: Any) -> int:
        options = {
            "attribute": "x", "campaign_id": campaign, "run_id": "this", "receiver": "localhost",
            "environment": "development", **other,
        }  # fmt: skip
        database, directory = account.workspace.database, account.workspace.settings.directory
        return leavers.members(engine.connect(), changes(database, directory, **options).runs).height

    number = account.workspace.ledger.get(f"{campaign}-0").number
    assert (found(), found(before=number + 1), found(until=START + timedelta(hours=1))) == (1, 1, 1)
    assert found(run_id=f"{campaign}-0") == 0
    assert found(receiver="s2s.mparticle.com") == 0
    assert found(environment="production") == 0
    assert found(attribute="y") == 0
    assert found(before=number) == 0
    assert found(until=START) == 0
    assert replace(changes(
        account.workspace.database, account.workspace.settings.directory, attribute="y", campaign_id=campaign,
        run_id="this", receiver="localhost", environment="development",
    ), runs=()) == leavers.Changes(newest=number, others=("x",))  # fmt: skip


def test_the_other_side_of_any_address_counts() -> None:
    """User 0 comes second by e-mail among the sent to, and shares a phone with user 2, who is held out."""
    connection = engine.connect()
    known = pl.DataFrame(
        {
            "user_code": [0, 1, 2, 3], "qualified": [True, True, False, True],
            "held_by": [None, None, "system", None], "cap_key": [2, 1, 3, 4], "email": [7, 7, None, 7],
            "phone": [9, None, 9, None],
        }
    )  # fmt: skip
    connection.register("known", known)
    found = engine.rows(connection, duplicates.duplicates_sql("known", ["email", "phone"]))
    assert sorted(found) == [(0, True), (3, False)]
