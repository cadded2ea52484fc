"""Saved segments: versions, pins, archive."""

import pytest
from accounts import NOW, Account

from workbench.errors import InputError, NotFoundError, SegmentError
from workbench.segments import codec
from workbench.segments.behaviours import Did
from workbench.segments.model import Not, Segment
from workbench.segments.predicates import Measure, Predicate
from workbench.segments.traits import InSegment, UserProperty

A, B = {"kind": "did", "events": ["A"]}, {"kind": "did", "events": ["B"]}


@pytest.fixture(autouse=True)
def _events(account: Account) -> None:
    """The lake knows the events and attributes that the trees name."""
    rows = [{"user_id": "1", "event": name, "ts": "2026-06-30T12:00:00Z"} for name in "AB"]
    account.ingest("events", rows)
    account.ingest("profiles", [{"user_id": "1", 'ß "x" \'': "NO", "a": "x"}])


def test_only_a_change_makes_a_version(account: Account) -> None:
    """The same tree again, however it is written, is the same version with the same digest."""
    account.save_segment("s", A)
    library = account.workspace.segments
    first = library.get("s")
    account.save_segment("s", {**A, "match": "any", "window": {"kind": "ever"}})
    assert library.get("s").stored == first.stored
    account.save_segment("s", B)
    account.save_segment("s", A)
    assert [library.get("s", n).segment.condition for n in (1, 2, 3)] == [
        Did(events=("A",)), Did(events=("B",)), Did(events=("A",)),
    ]  # fmt: skip
    assert library.get("s").stored.digest == first.stored.digest
    assert library.get("s").version == 3


def test_the_digest_is_pinned(account: Account) -> None:
    """The content hash of a segment does not change from one release to the next."""
    account.save_segment("s", A)
    assert account.workspace.segments.get("s").stored.digest == (
        "4da23b50cb02ab77be092ad396d882dd5c0e1f7e71ef4211051a4660d16f68ef"
    )


def test_nested_segments_are_pinned_when_saved(account: Account) -> None:
    """An edit of the inner segment does not move the outer one, at any depth of its tree."""
    account.save_segment("inner", A)
    inner = {"kind": "segment", "segment": "inner"}
    account.save_segment("outer", {"kind": "all", "conditions": [{"kind": "not", "condition": inner}, inner]})
    account.save_segment("inner", B)
    library = account.workspace.segments
    pinned = InSegment(segment="inner", version=1)
    assert library.get("outer").segment.condition.conditions == (Not(condition=pinned), pinned)  # type: ignore[union-attr]
    assert library.find("inner", 1).condition == Did(events=("A",))  # type: ignore[union-attr]
    assert library.find("inner", None).condition == Did(events=("B",))  # type: ignore[union-attr]


def test_an_unknown_inner_segment_is_not_saved(account: Account) -> None:
    """Nothing is stored that names what does not exist; the message names the nearest."""
    account.save_segment("buyers", A)
    with pytest.raises(SegmentError, match=r'unknown segment "buyer"\. Did you mean "buyers"'):
        account.save_segment("outer", {"kind": "segment", "segment": "buyer"})
    assert account.workspace.segments.names() == ["buyers"]


def test_an_archived_segment_keeps_its_versions(account: Account) -> None:
    """It is gone from the lists and from new trees; its versions are still found; saving revives it."""
    library = account.workspace.segments
    account.save_segment("inner", A)
    library.archive("inner", now=NOW)
    assert library.names() == []
    assert library.find("inner", None) is None
    assert library.find("inner", 1) is not None
    with pytest.raises(SegmentError, match='unknown segment "inner"'):
        account.save_segment("other", {"kind": "segment", "segment": "inner"})
    with pytest.raises(SegmentError, match='segment "inner" was archived'):
        account.save_segment("other", {"kind": "segment", "segment": "inner", "version": 1})
    with pytest.raises(NotFoundError):
        library.archive("inner", now=NOW)
    account.save_segment("inner", A)
    assert library.get("inner").version == 2


@pytest.mark.parametrize(
    "condition",
    [
        Did(events=("A",), measure=Measure(values=("5",))),  # type: ignore[arg-type]
        UserProperty(predicate=Predicate(property="a", operator="=", values=("\ud800",))),  # type: ignore[arg-type]
        UserProperty(predicate=Predicate(property="a", operator="=", values=(float("nan"),))),  # type: ignore[arg-type]
    ],
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_what_could_not_be_read_back_is_not_saved(account: Account, condition: Did) -> None:
    """A tree built in Python with values that no file can hold is refused before it is stored."""
    workspace = account.workspace
    scope, segment = workspace.scope(workspace.lake.at()), Segment(name="s", condition=condition)
    with pytest.raises(SegmentError):
        workspace.segments.save(segment, scope, now=NOW)
    assert account.workspace.segments.names() == []


def test_what_is_saved_is_what_is_read(account: Account) -> None:
    """Names and values with signs and scripts come back as they were."""
    tree = {
        "kind": "user",
        "predicate": {"property": 'ß "x" \'', "operator": "in", "values": ["NO", "é\n", "5"]},
    }
    account.save_segment("s", tree)
    assert account.workspace.segments.get("s").segment == codec.from_json({"name": "s", "condition": tree})


def test_a_segment_in_use_is_not_deleted(account: Account) -> None:
    """The refusal names every campaign and segment; once they are archived it goes."""
    library = account.workspace.segments
    account.save_segment("inner", A)
    account.save_segment("outer", {"kind": "not", "condition": {"kind": "segment", "segment": "inner"}})
    account.save_campaign("hello", "inner")
    with pytest.raises(InputError, match='"inner" is used by campaign "hello", segment "outer"; archive'):
        library.archive("inner", now=NOW)
    account.workspace.campaigns.archive("hello", now=NOW)
    library.archive("outer", now=NOW)
    library.archive("inner", now=NOW)
    assert library.names() == []


def test_a_faulty_segment_is_not_saved(account: Account) -> None:
    """Saving checks against the data, with all problems."""
    with pytest.raises(SegmentError, match='unknown event "C"'):
        account.save_segment("s", {"kind": "did", "events": ["C"]})
    assert account.workspace.segments.names() == []
