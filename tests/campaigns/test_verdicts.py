from datetime import UTC, datetime

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from workbench.campaigns.candidates import SCHEMA
from workbench.campaigns.verdicts import WATERFALL, decide, steps, waterfall

AT = datetime(2026, 7, 1, tzinfo=UTC)
FINE = {
    "held_by": None, "cap_key": 8, "duplicate": False, "reachable": True, "unsubscribed": False,
    "consent_missing": False, "too_often": None, "render": None, "lint": None,
}  # fmt: skip


def candidates(*users: dict[str, object]) -> pl.DataFrame:
    """One row a user, sound unless said otherwise."""
    return pl.DataFrame([{"user_code": n, **FINE, **user} for n, user in enumerate(users)], schema=SCHEMA)


def reasons(frame: pl.DataFrame) -> list[tuple[str, str | None]]:
    """Verdict and reason of each user."""
    return list(decide(frame, cap=None, send_at=AT).select("verdict", "reason").iter_rows())


def test_each_fault_has_its_reason() -> None:
    """One user a fault, and one without any."""
    found = reasons(
        candidates(
            {"duplicate": True}, {"reachable": False}, {"unsubscribed": True}, {"consent_missing": True},
            {"too_often": "global frequency cap", "render": "render error: Profile.x missing"},
            {"render": "render error: Profile.x missing", "lint": "x"},
            {"lint": "note over 4096 characters"}, {"held_by": "campaign"}, {},
        )
    )  # fmt: skip
    assert found == [
        ("not sent", "duplicate identity"),
        ("not sent", "not reachable"),
        ("not sent", "unsubscribed"),
        ("not sent", "consent missing"),
        ("not sent", "global frequency cap"),
        ("not sent", "render error: Profile.x missing"),
        ("not sent", "invalid profile: note over 4096 characters"),
        ("holdout", None),
        ("send", None),
    ]


def test_the_first_fault_in_the_order_counts() -> None:
    """A user with every fault is reported at the first step; taking faults away moves down the order."""
    faults = {
        "duplicate": True,
        "reachable": False,
        "unsubscribed": True,
        "consent_missing": True,
        "too_often": "campaign frequency cap",
        "lint": "x",
    }
    rows = []
    for name in list(faults):
        rows.append(dict(faults))
        faults[name] = FINE[name]  # type: ignore[assignment]
    assert [reason for _, reason in reasons(candidates(*rows))] == [
        "duplicate identity", "not reachable", "unsubscribed", "consent missing", "campaign frequency cap",
        "invalid profile: x",
    ]  # fmt: skip


def test_both_arms_meet_the_same_steps() -> None:
    """A held-out user who could not have been sent to is not a holdout."""
    assert reasons(candidates({"held_by": "campaign", "unsubscribed": True})) == [
        ("not sent", "unsubscribed")
    ]


def test_the_cap_goes_to_those_who_can_be_sent_to() -> None:
    """Two places, and the first two in hash order cannot be reached: the next two get them."""
    frame = candidates(
        {"cap_key": 1, "reachable": False}, {"cap_key": 2, "held_by": "campaign"}, {"cap_key": 5},
        {"cap_key": 3}, {"cap_key": 4},
    )  # fmt: skip
    found = decide(frame, cap=2, send_at=AT)
    assert found["verdict"].to_list() == ["not sent", "holdout", "not sent", "send", "send"]
    assert found["reason"].to_list()[2] == "campaign limit for the run"


def test_equal_keys_are_ordered_by_code() -> None:
    """A tie under the cap has one outcome, not two."""
    frame = candidates({"cap_key": 7}, {"cap_key": 7}, {"cap_key": 7})
    assert decide(frame, cap=1, send_at=AT)["verdict"].to_list() == ["send", "not sent", "not sent"]


def test_nobody_is_a_valid_answer() -> None:
    """An empty segment gives an empty frame with every column, and a waterfall without rows."""
    found = decide(candidates(), cap=100, send_at=AT)
    assert found.columns == ["user_code", "arm", "held_by", "verdict", "reason", "send_at"]
    assert (found.height, waterfall(found).height) == (0, 0)


def test_the_safety_check_comes_before_every_other_reason() -> None:
    """Blocked: sound or not, held out or not, capped or not, all have one reason and keep their arm."""
    frame = candidates(
        {}, {"duplicate": True}, {"held_by": "system"}, {"reachable": False, "held_by": "campaign"}
    )
    found = decide(frame, cap=1, send_at=AT, blocked=True)
    assert found["verdict"].unique().to_list() == ["not sent"]
    assert found["reason"].unique().to_list() == ["safety check"]
    assert found["arm"].to_list() == ["target", "target", "control", "control"]
    assert waterfall(found)["held_by"].to_list() == [None, "system", "campaign"]


def test_steps_fold_the_arms_and_keep_the_groups_apart() -> None:
    """A reason is one row with both arms, each group of held-out users its own; an old run has no group."""
    rows = [
        ("not sent", "unsubscribed", "target", None, 3), ("not sent", "unsubscribed", "control", "system", 1),
        ("not sent", "unsubscribed", "control", "campaign", 2), ("holdout", None, "control", "system", 5),
        ("holdout", None, "control", None, 7), ("send", None, "target", None, 9),
    ]  # fmt: skip
    found = steps(pl.DataFrame(rows, schema=WATERFALL, orient="row"))
    assert found.rows() == [
        ("not sent", "unsubscribed", None, 3, 3, 6), ("holdout", None, "system", 0, 5, 5),
        ("holdout", None, "campaign", 0, 7, 7), ("send", None, None, 9, 0, 9),
    ]  # fmt: skip


users = st.fixed_dictionaries(
    {
        "held_by": st.sampled_from([None, None, "system", "custom: a", "campaign"]), "cap_key": st.integers(0, 40),
        "duplicate": st.booleans(), "reachable": st.booleans(), "unsubscribed": st.booleans(),
        "consent_missing": st.booleans(),
        "too_often": st.sampled_from([None, None, "global frequency cap", "campaign frequency cap"]), "lint": st.sampled_from([None, None, "a", "b"]),
    }
)  # fmt: skip


@given(st.lists(users, max_size=60), st.one_of(st.none(), st.integers(1, 40)))
def test_the_numbers_add_up_and_the_cap_holds(rows: list[dict[str, object]], cap: int | None) -> None:
    """Whatever the users are: one verdict each, sums equal, no control user sent, no place wasted or doubled."""
    frame = candidates(*rows)
    found = decide(frame, cap=cap, send_at=AT)
    assert found.height == len(rows) == waterfall(found)["users"].sum()
    assert found["user_code"].to_list() == list(range(len(rows)))
    sent = found.filter(pl.col("verdict") == "send")
    fine = [
        row for row in rows
        if row["reachable"]
        and not any(row[fault] for fault in ("duplicate", "unsubscribed", "consent_missing", "too_often", "lint"))
    ]  # fmt: skip
    able = sum(row["held_by"] is None for row in fine)
    assert sent.height == min(able, cap if cap is not None else able)
    assert set(sent["arm"]) <= {"target"}
    assert found.filter(pl.col("verdict") == "holdout").height == len(fine) - able
    assert found.filter((pl.col("verdict") == "not sent") == pl.col("reason").is_null()).is_empty()
