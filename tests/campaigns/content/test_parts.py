import json
import re
from pathlib import Path

from accounts import NOW, Account
from export.encoding import bodies

from workbench import audience, runs
from workbench.export import payload
from workbench.segments.build import did, same
from workbench.store import documents

PAGE = (Path(__file__).parents[3] / "docs" / "content.md").read_text(encoding="utf-8")


def test_users_beyond_one_part_get_their_own_texts(account: Account) -> None:
    """41,000 users are more than a part of the plan and two of the export: each text has its own user's number."""
    users = 41_000
    account.ingest("profiles", [{"user_id": f"{n:05d}", "points": n} for n in range(users)])
    account.save_segment(
        "all", {"kind": "user", "predicate": {"property": "points", "operator": ">=", "values": [0]}}
    )
    values = {
        "a": "{{ Profile.points }}",
        "b": "{% if Profile.points >= 40990 %}{% abort 'rich' %}{% endif %}{{ Profile.user_id }}",
    }
    account.save_campaign("hello", "all", content={"values": values})
    plan = runs.plan(account.workspace, "hello", as_of=NOW, now=NOW)
    assert plan.waterfall.select("reason", "users").rows() == [
        ("aborted by template: rich", 10),
        (None, 40_990),
    ]
    version = account.workspace.lake.at()
    connection = version.connect()
    rendering = audience.render(
        account.workspace, plan.campaign, version, connection, as_of=NOW, now=plan.send_at
    )
    batches = payload.batches(
        connection,
        plan.verdicts.filter(plan.verdicts["verdict"] == "send").select("user_code"),
        audience.envelope(account.workspace, plan.campaign, run=plan.run_id, send_at=plan.send_at),
        as_of=NOW,
        catalogue=version.catalogue,
        identities=account.workspace.settings.identities,
        rendering=rendering,
    )
    found = [json.loads(body) for part in batches for body in bodies(part)]
    texts = [item["events"][0]["data"]["custom_attributes"] for item in found]
    ids = [item["user_identities"]["customer_id"] for item in found]
    assert [(item["a"], item["b"]) for item in texts] == [(str(int(user)), user) for user in ids]
    assert len(found) == 40_990


def test_the_example_of_the_page_can_be_saved(account: Account) -> None:
    """What the page about content shows are campaigns that the workbench takes."""
    person = {"user_id": "1", "email": "a@example.com", "first_name": "Ann", "country": "US", "plan": "free"}
    account.ingest("profiles", [person])
    rows = [("Viewed", "1"), ("Bought", "2")]
    account.ingest(
        "events",
        [{"user_id": "1", "event": event, "sku": sku, "ts": "2026-06-30T12:00:00Z"} for event, sku in rows],
    )
    left = same(did("Viewed").by("sku"), ~did("Bought").by("sku"), alias="seen").named("left-the-cart")
    workspace = account.workspace
    workspace.segments.save(left, workspace.scope(workspace.lake.at()), now=NOW)
    example, keeping = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = account.home / "campaign.yaml"
    path.write_text(example, encoding="utf-8")
    body = documents.read(path)
    account.save_campaign("left-the-cart", "left-the-cart", content=body["content"])
    assert runs.plan(workspace, "left-the-cart", as_of=NOW, now=NOW).to_send == 1
    path.write_text(keeping, encoding="utf-8")
    account.save_campaign("lapsed-gold", "left-the-cart", membership=documents.read(path)["membership"])
    planned = runs.plan(workspace, "lapsed-gold", as_of=NOW, now=NOW)
    assert planned.leaving is not None
    assert planned.leaving.sentence == "0 users leave the audience"
