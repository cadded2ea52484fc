import json
from pathlib import Path

import pytest
from accounts import Account
from command_line import Run

from workbench.export.sandbox import Receiver
from workbench.settings import Settings

AS_OF = "2026-07-01T12:00:00Z"

SEGMENT = """\
name: norway
condition:
  kind: all
  conditions:
    - kind: did
      events: [Purchase]
    - kind: user
      predicate: {property: country, operator: in, values: [NO, US]}
"""

CAMPAIGN = """\
id: first
name: First
segment: {name: norway}
control: {share: 0.2}
"""


def test_init_check_and_the_first_ingest(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new folder: init writes settings that check accepts, and a second init touches nothing."""
    monkeypatch.chdir(tmp_path)
    assert run("init", "--name", "acme", "--timezone", "Europe/Berlin").code == 0
    assert Settings.load(tmp_path / "workbench.toml").account.timezone == "Europe/Berlin"
    found = run("check")
    assert "look  data: no events yet" in found.out
    assert f"store: SQLite, {tmp_path / '.workbench' / 'ledger.db'}" in "".join(found.out.splitlines())
    assert "look  destination: http://127.0.0.1:8787/v2: no mParticle credentials" in found.out
    assert run("init").code == 3
    assert run("init", "--timezone", "Mars").code == 3


def test_a_wrong_zone_leaves_no_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that cannot be used are not written."""
    monkeypatch.chdir(tmp_path)
    found = run("init", "--timezone", "Europe/Berlim")
    assert 'unknown time zone "Europe/Berlim". Did you mean "Europe/Berlin"' in found.err
    assert not (tmp_path / "workbench.toml").exists()


def test_ingest_saves_its_mapping(run: Run, account: Account) -> None:
    """The second file of a source needs no option; comments in workbench.toml stay."""
    toml = account.config.read_text() + "\n# a comment that stays\n"
    account.config.write_text(toml)
    for day in (1, 2):
        (account.home / f"{day}.csv").write_text(f"customer;when;total\n00{day};2026010{day};{day}.5\n")
    first = run(
        "ingest", "events", account.home / "1.csv", "--source", "tills", "--user", "customer", "--event-name", "Sale",
        "--ts", "when", "--time-format", "%Y%m%d", "--timezone", "Europe/Berlin", "--sep", ";", "-c", account.config,
    )  # fmt: skip
    second = run(
        "ingest", "events", account.home / "2.csv", "--source", "tills", "-c", account.config, "--json"
    )
    assert (first.code, second.code) == (0, 0)
    assert json.loads(second.out)["added"] == 1
    assert "# a comment that stays" in account.config.read_text()
    assert Settings.load(account.config).sources["tills"].time_format == "%Y%m%d"


def test_a_naive_time_is_asked_about(run: Run, account: Account) -> None:
    """Without a zone nothing is ingested, and the message shows the value and the option."""
    (account.home / "e.csv").write_text("user_id,event,ts\n1,Sale,2026-01-01 10:00\n")
    found = run("ingest", "events", account.home / "e.csv", "-c", account.config)
    assert found.code == 3
    assert '"2026-01-01 10:00"' in found.err
    assert "--timezone" in found.err
    assert account.workspace.lake.version() == 0


def test_segments_and_campaigns_from_files(run: Run, shop: Account) -> None:
    """Save, list, show, clone, archive; Norway stays Norway."""
    (shop.home / "s.yaml").write_text(SEGMENT)
    (shop.home / "c.yaml").write_text(CAMPAIGN)
    config = ("-c", shop.config)
    assert run("segment", "save", shop.home / "s.yaml", *config).code == 0
    assert run("campaign", "save", shop.home / "c.yaml", *config).code == 0
    shown = json.loads(run("segment", "show", "norway", "--json", *config).out)
    assert shown["condition"]["conditions"][1]["predicate"]["values"] == ["NO", "US"]
    listed = json.loads(run("campaign", "list", "--json", *config).out)
    assert [item["id"] for item in listed] == ["first", "hello"]
    assert run("campaign", "clone", "first", "second", *config).code == 0
    refused = run("segment", "archive", "norway", *config)
    assert refused.code == 3
    assert 'used by campaign "first", campaign "second"' in refused.err
    assert run("campaign", "archive", "first", *config).code == 0
    assert run("campaign", "archive", "second", *config).code == 0
    assert run("segment", "archive", "norway", *config).code == 0
    assert [item["name"] for item in json.loads(run("segment", "list", "--json", *config).out)] == ["buyers"]


def test_what_show_prints_can_be_saved(run: Run, shop: Account) -> None:
    """The printed YAML is the segment, even when the terminal is narrow."""
    text = run("segment", "show", "buyers", "-c", shop.config).out
    (shop.home / "again.yaml").write_text(text)
    saved = run("segment", "save", shop.home / "again.yaml", "-c", shop.config, "--json")
    assert json.loads(saved.out)["version"] == 1


def test_show_prints_the_code_of_a_segment(run: Run, shop: Account) -> None:
    """``--python`` gives what builds it."""
    text = run("segment", "show", "buyers", "--python", "-c", shop.config).out
    assert 'did("Purchase").in_last(days=7)' in text
    assert text.endswith(').named("buyers")\n')


def test_a_segment_is_explained_for_one_user(run: Run, shop: Account) -> None:
    """In, with the purchase that did it; an unknown user is wrong input."""
    config = ("--as-of", AS_OF, "-c", shop.config)
    text = run("segment", "explain", "buyers", "00007", *config).out
    assert "user 00007 is in segment buyers" in text
    assert "Purchase" in text
    found = json.loads(run("segment", "explain", "buyers", "00007", "--json", *config).out)
    assert (found["holds"], found["answers"][0]["matching"]) == (True, 1)
    assert found["answers"][0]["events"] == [
        {"event": "Purchase", "ts": "2026-06-30T12:00:00Z", "price": 10.0}
    ]
    assert run("segment", "explain", "buyers", "nobody", *config).code == 3


def test_a_list_is_imported_and_asked(run: Run, shop: Account) -> None:
    """The summary adds up for people and for programs; a bad file is wrong input and changes nothing."""
    config = ("-c", shop.config)
    (shop.home / "vips.csv").write_text("user_id\n00001\n00002\n00001\nnobody\n")
    told = run("lists", "import", "vips", shop.home / "vips.csv", *config)
    assert told.code == 0
    assert "2 users" in told.out
    assert "4 rows = 2 matched + 1 duplicate + 1 unmatched + 0 malformed" in told.out
    again = json.loads(run("lists", "import", "vips", shop.home / "vips.csv", "--json", *config).out)
    assert (again["version"], again["is_new"], again["users"], again["read"]) == (1, False, 2, 4)
    (shop.home / "s.yaml").write_text("name: vips\ncondition: {kind: list, list: vips}\n")
    assert run("segment", "save", shop.home / "s.yaml", *config).code == 0
    # The list was imported now: as of now it has its users.
    assert json.loads(run("reach", "vips", "--json", *config).out)["qualified"] == 2
    (shop.home / "vips.csv").write_text("who\n00003\n")
    refused = run("lists", "import", "vips", shop.home / "vips.csv", *config)
    assert refused.code == 3
    assert "--identity user_id or email or phone or customer_id" in refused.err
    listed = json.loads(run("lists", "list", "--json", *config).out)
    assert [(item["list"], item["version"], item["users"]) for item in listed] == [("vips", 1, 2)]


def test_the_lake_is_shown_and_compacted(run: Run, shop: Account) -> None:
    """Three files of June become one; a second time there is nothing to merge."""
    config = ("-c", shop.config)
    for user in ("00001", "00002"):
        late = {"user_id": user, "event": "Purchase", "ts": "2026-06-02T00:00:00Z"}
        shop.ingest("events", [late], recorded="history")
    before = json.loads(run("lake", "show", "--json", *config).out)
    assert (before["version"], before["oldest"], before["small"]) == (4, 0, 3)
    assert [(p["kind"], p["month"], p["files"], p["small"], p["rows"]) for p in before["parts"]] == [
        ("events", "2026-06", 3, 3, 1002), ("profiles", None, 1, 0, 1000), ("users", None, 1, 0, 1000),
    ]  # fmt: skip
    shown = run("lake", "show", *config).out
    assert "3 small files could be merged: workbench lake compact" in shown
    told = run("lake", "compact", *config)
    assert told.code == 0
    assert "3 → 1" in told.out
    assert "lake version 5; the files before it stay for 7 days" in told.out
    again = json.loads(run("lake", "compact", "--json", *config).out)
    assert again == {"version": 5, "merged": []}
    assert "nothing to merge (lake version 5)" in run("lake", "compact", *config).out
    after = json.loads(run("lake", "show", "--json", *config).out)
    assert (after["version"], after["small"]) == (5, 0)
    assert [(p["kind"], p["files"], p["rows"]) for p in after["parts"]] == [
        ("events", 1, 1002), ("profiles", 1, 1000), ("users", 1, 1000),
    ]  # fmt: skip
    assert "could be merged" not in run("lake", "show", *config).out


def test_an_ingest_tells_what_it_merged(run: Run, account: Account) -> None:
    """One line for people, numbers for programs."""
    account.config.write_text(account.config.read_text() + "\n[store]\ncompact_files = 1\n")
    config = ("-c", account.config)
    for user in "abc":
        rows = f"user_id,event,ts\n{user},Buy,2026-06-30T12:00:00Z\n"
        (account.home / f"{user}.csv").write_text(rows)
    assert "merged" not in run("ingest", "events", account.home / "a.csv", *config).out
    assert "4 files of the lake were merged" in run("ingest", "events", account.home / "b.csv", *config).out
    found = json.loads(run("ingest", "events", account.home / "c.csv", "--json", *config).out)
    assert (found["version"], found["merged"], found["not_merged"]) == (4, 4, None)


def test_reach_counts(run: Run, shop: Account) -> None:
    """1,000 qualified and reachable, as text, as JSON and as SQL."""
    config = ("--as-of", AS_OF, "-c", shop.config)
    found = json.loads(run("reach", "buyers", "--json", *config).out)
    assert (found["qualified"], found["reachable"], found["everyone"]) == (1000, 1000, 1000)
    assert found["as_of"] == AS_OF
    assert "1,000" in run("reach", "buyers", *config).out
    assert "SELECT user_code FROM c1_did_purchase" in run("reach", "buyers", "--sql", *config).out


def test_plan_shows_and_writes_nothing(run: Run, shop: Account) -> None:
    """The waterfall adds up, and no run exists afterwards."""
    found = json.loads(run("plan", "hello", "--as-of", AS_OF, "--json", "-c", shop.config).out)
    assert sum(row["users"] for row in found["waterfall"]) == found["qualified"] == 1000
    assert found["to_send"] == 500
    assert json.loads(run("runs", "list", "--json", "-c", shop.config).out) == []


def test_runs_and_sandbox_agree(run: Run, shop: Account, receiver: Receiver) -> None:
    """What the ledger calls accepted is what the receiver holds."""
    sent = json.loads(run("send", "hello", "--as-of", AS_OF, "--json", "-c", shop.config).out)
    shown = json.loads(run("runs", "show", sent["run_id"], "--json", "-c", shop.config).out)
    assert (sent["sent_now"], shown["users"]["accepted"], shown["state"]) == (500, 500, "completed")


def test_the_sandbox_reports_nothing_before_it_ran(run: Run, shop: Account) -> None:
    """A report of a receiver that never ran says how to start it."""
    found = run("sandbox", "report", "-c", shop.config)
    assert found.code == 3
    assert "workbench sandbox serve" in found.err


def test_the_sandbox_refuses_an_unknown_answer(run: Run, shop: Account) -> None:
    """The nearest answer is named."""
    found = run("sandbox", "serve", "--answers", "dorp-after", "-c", shop.config)
    assert found.code == 3
    assert "drop-after" in found.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-07-01", "has no zone"),
        ("2026-07-01T12:00:00", "has no zone"),
        ("yesterday", "is not ISO 8601"),
    ],
)
def test_instants_carry_their_zone(run: Run, shop: Account, text: str, message: str) -> None:
    """A time without a zone is asked about, never assumed."""
    found = run("reach", "buyers", "--as-of", text, "-c", shop.config)
    assert (found.code, message in found.err) == (3, True)


def test_the_demo_outside_a_checkout_makes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is missing, where, before there is a ledger."""
    monkeypatch.chdir(tmp_path)
    assert run("init").code == 0
    found = run("demo")
    assert found.code == 3
    assert f"there is no data/sample/generate.py in {tmp_path}" in found.err
    assert [path.name for path in tmp_path.rglob("*")] == ["workbench.toml"]
    generate = tmp_path / "data" / "sample" / "generate.py"
    generate.parent.mkdir(parents=True)
    generate.touch()
    assert "there is no data/sample/campaigns/cart-abandoners.segment.yaml" in run("demo").err
    assert not (tmp_path / ".workbench").exists()
