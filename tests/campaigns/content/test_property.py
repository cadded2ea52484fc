"""What the engine makes of a template is what Liquid makes of it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from campaigns.content.worlds import by_liquid, rendered
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from workbench.campaigns.content.shorthand import written_out

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

texts = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "\u00a0", "ß", "İ", "ς", "ŉa", "éA", "nan", "null", "{{ x }}", "a'b\"c\\", "😀 b", "AbC dE"]),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text(alphabet="abcXYZ -_'", max_size=12),
)  # fmt: skip
profiles = st.fixed_dictionaries(
    {
        "name": texts,
        "first name": texts,
        "points": st.one_of(
            st.none(), st.floats(), st.integers(-(2**60), 2**60).map(float),
            st.sampled_from([0.0, -0.0, 1e15, 1e16, 123456789012345680.0, 1e22, 1.5e-5, 1e-7, 0.1, 5e-324]),
        ),
        "vip": st.one_of(st.none(), st.booleans()),
        "born": st.one_of(st.none(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
        "seen": st.one_of(
            st.none(), st.integers(-(10**15), 10**15).map(lambda us: EPOCH + timedelta(microseconds=us)),
            st.just(datetime(2026, 7, 1, 12, tzinfo=UTC)), st.just(datetime(2026, 7, 1, 12, 0, 0, 500000, tzinfo=UTC)),
        ),
        "tags": st.one_of(st.none(), st.lists(st.one_of(st.none(), st.text("abc é", max_size=3)), max_size=3)),
        "app": st.one_of(st.none(), st.sampled_from(["", "2.10.0", "2.9"])),
    }
)  # fmt: skip
names = st.sampled_from(
    [
        "Profile.name", "Profile['first name']", "Profile.points", "Profile.vip", "Profile.born", "Profile.seen",
        "Profile.tags", "Profile.app", "viewed[0]", "viewed[1]", "price[0]", "viewed.first", "viewed",
    ]
)  # fmt: skip
filters = st.sampled_from(
    [
        "", ' | default: "there"', " | default: ''", " | default: 5", " | upcase", " | downcase", " | capitalize",
        ' | default: "élan vital" | capitalize', ' | upcase | default: "x"', " | size", ' | default: "Ab" | upcase | downcase',
        " | default: true", ' | default: "x", allow_false: true',
    ]
)  # fmt: skip
outputs = st.builds("{{{{ {}{} }}}}".format, names, filters)
pieces = st.one_of(
    outputs,
    st.text(alphabet="ab é'\"$%\n😀", max_size=5),
    st.sampled_from(["{% if Profile.vip %}yes{% endif %}", "{{- Profile.name -}}", "@app", "@@x ", "{% comment %}c{% endcomment %}"]),
)  # fmt: skip
templates = st.builds(lambda first, rest: first + "".join(rest), outputs, st.lists(pieces, max_size=4))
sequences = st.one_of(
    st.none(), st.lists(st.one_of(st.none(), st.sampled_from(["", "sku", "É"])), min_size=1, max_size=3)
)
numbers = st.one_of(st.none(), st.lists(st.sampled_from([None, 1.0, 2.5, 1e17]), min_size=1, max_size=2))

PLAIN: dict[str, Any] = {
    "name": "Ann", "first name": None, "points": 5.0, "vip": False, "born": None, "seen": None, "tags": ["a", None],
    "app": "1",
}  # fmt: skip


@example("{{ Profile.name | capitalize }}", [(PLAIN | {"name": "ǆabc İ"}, None, None)])
@example("{{ Profile.name }}", [(PLAIN | {"name": ""}, None, None)])
@example("{{ Profile.vip | default: 'no' }}", [(PLAIN, None, None)])
@example("{{ Profile.name }}", [(PLAIN | {"name": "a\r\nb\rc"}, None, None)])
@example("{{ Profile.tags }}{{ viewed }}", [(PLAIN, ["", None, "b"], None)])
@settings(max_examples=150, deadline=None)
@given(templates, st.lists(st.tuples(profiles, sequences, numbers), min_size=1, max_size=5))
def test_the_engine_agrees_with_liquid(
    text: str, users: list[tuple[dict[str, Any], list[str | None] | None, list[float | None] | None]]
) -> None:
    """Whatever the template and the values: the same text, or the same reason why there is none."""
    assume(not written_out(text, PLAIN)[1])
    _, rows = rendered(
        [text],
        [profile for profile, _, _ in users],
        {"viewed": [viewed for _, viewed, _ in users], "price": [price for _, _, price in users]},
    )
    for row, (profile, viewed, price) in zip(rows, users, strict=True):
        kept = [value for value in viewed or [] if value]
        expected, reason = by_liquid(text, profile, viewed=kept, price=price)
        assert row["reason"] == reason
        if reason is None:
            assert row["v0"] == expected
