"""The page about segments says what works: every expression of it is built, checked and asked."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, make_account

from workbench.segments import build, codec, qualify
from workbench.segments.build import Expression
from workbench.segments.frames import compile_frame
from workbench.segments.model import Segment
from workbench.segments.python import to_python
from workbench.store import documents
from workbench.store.frames import frames
from workbench.store.ingest import import_list

PAGE = (Path(__file__).parents[1] / "docs" / "segments.md").read_text(encoding="utf-8")
AT = datetime(2026, 6, 30, 18, tzinfo=UTC)
EVENTS = ("Charged", "App Uninstalled", "Product Viewed", "Search", "App Launched", "Added To Cart")


def cells() -> list[str]:
    """The expressions in the first column of the page's tables; ``.in_last(…)`` alone stands for an event's."""
    found = []
    for line in PAGE.splitlines():
        if line.startswith("| `") and "==` `!=`" not in line:
            codes = re.findall(r"`([^`]+)`", line.split("|")[1])
            found += [code for code in codes if "(" in code and "…" not in code]
    return [f'did("Charged"){code}' if code.startswith(".") else code for code in found]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """A lake that knows the names of the page."""
    account = make_account(tmp_path_factory.mktemp("guide"))
    row = {
        "user_id": "1",
        "ts": "2026-06-30T12:00:00Z",
        "price": 120,
        "coupon": "x",
        "category": "lighting",
        "product_id": "p",
    }
    account.ingest("events", [{**row, "event": name} for name in EVENTS])
    account.ingest("profiles", [
        {"user_id": "1", "country": "US", "plan": "pro", "birth_date": "2000-07-01", "email": "a@example.com",
         "signed_up_at": "2026-06-01T00:00:00Z", "latitude": 52.52, "longitude": 13.4},
    ])  # fmt: skip
    account.ingest(
        "devices",
        [{"user_id": "1", "device_id": "d", "os": "iOS", "app_version": "2.9.0", "push_token": "t"}],
    )
    (account.home / "vips.csv").write_text("user_id\n1\n", encoding="utf-8")
    workspace = account.workspace
    import_list(workspace.lake, workspace.settings, "vips", str(account.home / "vips.csv"), now=AT)
    account.save_segment("buyers", {"kind": "did", "events": ["Charged"]})
    return account


def names() -> dict[str, Any]:
    """What ``from workbench.segments.build import *`` gives."""
    return {name: getattr(build, name) for name in build.__all__}


def ask(account: Account, segment: Segment) -> int:
    """Ask both engines, which agree; the code that the segment prints builds it."""
    workspace = account.workspace
    version = workspace.lake.at()
    scope, connection = workspace.scope(version), version.connect()
    found = qualify.qualified(qualify.compiled(segment, AT, scope), connection)
    lazy = compile_frame(segment, AT, scope, frames(version)).collect()
    connection.close()
    assert lazy.height == found.height
    printed: dict[str, Any] = {}
    exec(to_python(segment), printed)
    assert printed["segment"] == segment
    return found.height


def test_the_page_has_every_expression() -> None:
    """The tables are found, and every function of the builder is shown."""
    assert len(cells()) > 45
    shown = "\n".join(cells()) + PAGE
    assert [name for name in build.__all__ if name != "Expression" and f"{name}(" not in shown] == []


@pytest.mark.parametrize("code", cells())
def test_an_expression_of_the_page(shop: Account, code: str) -> None:
    """It is an expression that both engines answer alike."""
    expression = eval(code, names())
    assert isinstance(expression, Expression)
    assert ask(shop, expression.named("asked")) in {0, 1}


def test_the_file_and_the_code_are_the_same_segment(shop: Account) -> None:
    """The YAML of the page is the tree of its Python."""
    code = PAGE.split("```python\n")[1].split("```")[0]
    built: dict[str, Any] = {}
    exec(code, built)
    body = documents.parse(PAGE.split("```yaml\n")[1].split("```")[0])
    assert codec.from_json(body) == built["loyal"]
    assert ask(shop, built["loyal"]) == 0
