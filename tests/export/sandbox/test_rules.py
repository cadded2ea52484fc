"""The rules for a batch: bad ones vanish behind a 202 and show in the report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from workbench.export.sandbox import Receiver, accepted, report

Serve = Callable[..., Receiver]
HOUR = 3_600_000
NOON = 1772366400000


def with_data(**fields: object) -> dict[str, Any]:
    """Change the data of the event."""
    return {"event_data": fields}


def changed(batch: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Give the batch with its fields replaced, or its event's data updated; `...` removes."""
    change = dict(change)
    data = batch["events"][0]["data"] | change.pop("event_data", {})
    kept = {name: value for name, value in data.items() if value is not ...}
    events = [{"event_type": "custom_event", "data": kept}]
    whole = batch | {"events": events} | change
    return {name: value for name, value in whole.items() if value is not ...}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "batch-field"),
    ({"session_id": 1}, "batch-field"),
    ({"user_attributes": {f"a{n}": "x" * 4000 for n in range(40)}}, "batch-size"),
    ({"user_identities": ...}, "no-identity"),
    ({"user_identities": {}}, "no-identity"),
    ({"user_identities": {}, "device_info": {"push_token": "t"}}, "no-identity"),
    ({"user_identities": {"customerid": "c"}}, "identity-key"),
    ({"user_identities": {"customer_id": "c", "phone": "1"}}, "identity-key"),
    ({"user_identities": {"customer_id": 7}}, "identity-value"),
    ({"user_identities": {"customer_id": None}}, "identity-value"),
    ({"user_identities": {"customer_id": ""}}, "identity-value"),
    ({"user_identities": {"customer_id": "  "}}, "identity-value"),
    ({"user_identities": {"customer_id": "c", "email": "NaN"}}, "identity-value"),
    ({"user_identities": {"customer_id": "null"}}, "identity-value"),
    ({"user_identities": {"customer_id": "None"}}, "identity-value"),
    ({"user_identities": []}, "identity-value"),
    ({"mpid": "7"}, "mpid"),
    ({"mpid": 7.0}, "mpid"),
    ({"mpid": True}, "mpid"),
    ({"mpid": None}, "mpid"),
    ({"mpid": 2**63}, "mpid"),
    ({"mpid": -(2**63) - 1}, "mpid"),
    ({"user_attributes": {f"a{n}": 1 for n in range(101)}}, "attribute-count"),
    ({"user_attributes": {"": 1}}, "attribute-name"),
    ({"user_attributes": {"a": {"b": 1}}}, "attribute-value"),
    ({"user_attributes": {"a": [{"b": 1}]}}, "attribute-value"),
    ({"user_attributes": {"a": [[1]]}}, "attribute-value"),
    ({"user_attributes": None}, "attribute-value"),
    ({"user_attributes": {"a": "x" * 4097}}, "attribute-length"),
    ({"user_attributes": {"a": ["x"] * 1001}}, "attribute-list"),
    ({"user_attributes": {"a": ["x" * 513]}}, "attribute-list"),
    ({"deleted_user_attributes": "a"}, "deleted-attribute"),
    ({"deleted_user_attributes": [1]}, "deleted-attribute"),
    ({"device_info": {"device_id": "d"}}, "device-field"),
    ({"device_info": {"os_version": 17}}, "device-value"),
    ({"device_info": {"screen_width": "wide"}}, "device-value"),
    ({"device_info": {"is_tablet": "no"}}, "device-value"),
    ({"device_info": {"push_token": ""}}, "device-value"),
    ({"device_info": {"push_token": ["a", "b"]}}, "device-value"),
    ({"device_info": {"platform": "ios"}}, "device-platform"),
    ({"device_info": {"ios_advertising_id": "abc"}}, "advertising-id"),
    ({"device_info": {"android_advertising_id": None}}, "advertising-id"),
    ({"consent_state": {"lgpd": {}}}, "consent"),
    ({"consent_state": {"gdpr": {"mail": {"consented": True}}}}, "consent"),
    ({"consent_state": {"gdpr": {"mail": {"timestamp_unixtime_ms": NOON}}}}, "consent"),
    ({"consent_state": {"gdpr": {"mail": True}}}, "consent"),
    (
        {"consent_state": {"gdpr": {"m": {"consented": "yes", "timestamp_unixtime_ms": NOON}}}},
        "consent",
    ),
    (
        {"consent_state": {"ccpa": {"other": {"consented": True, "timestamp_unixtime_ms": NOON}}}},
        "consent",
    ),
    ({"context": {"plan": {}}}, "context"),
    ({"context": {"data_plan": {}}}, "data-plan"),
    ({"context": {"data_plan": {"plan_version": 1}}}, "data-plan"),
    ({"context": {"data_plan": {"plan_id": "p", "plan_version": "1"}}}, "data-plan"),
    ({"context": {"data_plan": {"plan_id": "p", "version": 1}}}, "data-plan"),
    ({"context": {"location": {"latitude": 1.5}}}, "location"),
    ({"ip": "10.0.0.256"}, "ip"),
    ({"ip": "host.example"}, "ip"),
    ({"ip": "fe80::1%eth0"}, "ip"),
    ({"ip": 1}, "ip"),
    ({"mp_deviceid": "7"}, "mp-deviceid"),
    ({"environment": "test"}, "environment"),
    ({"environment": None}, "environment"),
    ({"source_request_id": 7}, "source-request-id"),
    ({"source_request_id": ""}, "source-request-id"),
    ({"source_request_id": "\ud800"}, "text"),
    ({"source_info": {"partner": "p"}}, "side-field"),
    ({"events": {}}, "events"),
    ({"events": None}, "events"),
    ({"events": [1]}, "event-field"),
    ({"events": [{"event_type": "custom_event"}]}, "event-field"),
    ({"events": [{"event_type": "custom_event", "data": []}]}, "event-field"),
    ({"events": [{"event_type": "opt_out", "data": {}, "id": 1}]}, "event-field"),
    ({"events": [{"event_type": "custom", "data": {}}]}, "event-type"),
    (with_data(event_name=...), "event-field"),
    (with_data(custom_event_type=...), "event-field"),
    (with_data(event_name=""), "event-name"),
    (with_data(event_name=7), "event-name"),
    (with_data(custom_event_type="Other"), "custom-event-type"),
    (with_data(timestamp_unixtime_ms="1772366400000"), "event-timestamp"),
    (with_data(timestamp_unixtime_ms=1772366400000.0), "event-timestamp"),
    (with_data(timestamp_unixtime_ms=None), "event-timestamp"),
    (with_data(timestamp_unixtime_ms=NOON // 1000), "event-too-old"),
    (with_data(timestamp_unixtime_ms=NOON - 30 * 24 * HOUR - 1), "event-too-old"),
    (with_data(timestamp_unixtime_ms=NOON + 24 * HOUR + 1), "event-in-future"),
    (with_data(custom_attributes=[]), "event-attribute-value"),
    (with_data(custom_attributes={"a": [1]}), "event-attribute-value"),
    (with_data(custom_attributes={"a": {"b": 1}}), "event-attribute-value"),
    (with_data(custom_attributes={"a": "x" * 4097}), "event-attribute-length"),
    (with_data(custom_attributes={"": 1}), "event-attribute-name"),
    (with_data(custom_attributes={f"a{n}": 1 for n in range(101)}), "event-attribute-count"),
    (with_data(source_message_id=""), "source-message-id"),
    (with_data(source_message_id=7), "source-message-id"),
]

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
CONSENT = {"consented": False, "timestamp_unixtime_ms": NOON, "document": "terms"}
GOOD: list[dict[str, Any]] = [
    {},
    {"user_identities": {"email": "a@example.com", "other_id_10": "x", "alias": "y"}},
    {"user_identities": ..., "mpid": -(2**63)},
    {"user_identities": ..., "mpid": 2**63 - 1},
    {"user_identities": ..., "mp_deviceid": UUID},
    {"user_identities": ..., "device_info": {"ios_idfv": UUID}},
    {"user_attributes": {f"a{n}": n for n in range(100)}},
    {"user_attributes": {"$age": 33, "a": None, "b": True, "c": 1.5, "d": "", "e": ["x", 1]}},
    {"user_attributes": {"a": "é" * 4096, "b": ["x" * 512], "c": ["x"] * 1000}},
    {"deleted_user_attributes": ["a", "b"]},
    {
        "device_info": {
            "platform": "Android",
            "os_version": "15",
            "push_token": "t",
            "brand": "b",
            "screen_width": 1080,
            "is_tablet": False,
            "android_advertising_id": UUID.upper(),
        }
    },
    {"consent_state": {"gdpr": {"mail": CONSENT}, "ccpa": {"data_sale_opt_out": CONSENT}}},
    {"context": {"data_plan": {"plan_id": "p", "plan_version": 2}}},
    {"ip": "203.0.113.7"},
    {"ip": "2001:db8::1"},
    {"environment": "production"},
    {"events": ..., "user_attributes": {"in_audience": False}},
    {"events": []},
    {"events": [{"event_type": "screen_view", "data": {"screen_name": "s"}}]},
    with_data(timestamp_unixtime_ms=NOON - 30 * 24 * HOUR),
    with_data(timestamp_unixtime_ms=NOON + 24 * HOUR),
    with_data(custom_attributes={"a": "x" * 4096, "b": 1.5, "c": True, "d": None}),
    with_data(custom_event_type="user_preference"),
]


@pytest.mark.parametrize("bulk", [False, True])
def test_each_bad_batch_vanishes_under_its_rule(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path, bulk: bool
) -> None:
    """Every row of the table is answered 202, is not stored, and is listed with its rule."""
    receiver = serve()
    for change, _ in BAD:
        sent = changed(batch, change)
        path, body = ("bulkevents", [sent]) if bulk else ("events", sent)
        response = client.post(f"{receiver.url}/{path}", json=body)
        assert (response.status_code, response.text) == (202, "")
    found = report(tmp_path)
    assert [(drop.rule, drop.position) for drop in found.dropped_batches] == [(rule, 1) for _, rule in BAD]
    assert (found.accepted, found.dropped_count) == (0, len(BAD))


@pytest.mark.parametrize("value", [1, "text", None, [], True])
def test_a_batch_of_a_bulk_request_is_an_object(
    serve: Serve, client: requests.Session, tmp_path: Path, value: object
) -> None:
    """Anything else in the array is dropped, not refused."""
    receiver = serve()
    assert client.post(f"{receiver.url}/bulkevents", json=[value]).status_code == 202
    assert report(tmp_path).dropped == (("batch-type", "the batch is not an object", 1),)


def test_each_good_batch_is_stored_as_sent(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """Every row of the table is stored, value for value, without a drop."""
    receiver = serve()
    sent = [changed(batch, {**change, "source_request_id": f"r-{n}"}) for n, change in enumerate(GOOD)]
    assert client.post(f"{receiver.url}/bulkevents", json=sent).status_code == 202
    assert report(tmp_path).dropped == ()
    assert list(accepted(tmp_path)) == sent


def test_a_drop_says_where_and_nothing_personal(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """The reason names a known neighbour of the unknown key, never what was sent."""
    receiver = serve()
    bad = changed(batch, {"user_identities": {"customer_idd": "secret-person"}})
    client.post(f"{receiver.url}/bulkevents", json=[batch, bad])
    (drop,) = report(tmp_path).dropped_batches
    assert (drop.request, drop.position, drop.rule) == (1, 2, "identity-key")
    assert drop.reason == ("unknown identity in user_identities, nearest known: customer_id")
    assert "secret-person" not in str(report(tmp_path))


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"environment": ...}, "environment-absent"),
        ({"source_request_id": ...}, "source-request-id-absent"),
        ({"batch_id": 7}, "set-by-mparticle"),
        ({"timestamp_unixtime_ms": NOON}, "set-by-mparticle"),
        ({"user_attributes": {"$height": 2}}, "reserved-attribute"),
        (with_data(event_id=7), "set-by-mparticle"),
        (with_data(session_id=7), "set-by-mparticle"),
        (with_data(timestamp_unixtime_ms=...), "event-timestamp-absent"),
        (with_data(source_message_id=...), "source-message-id-absent"),
        (with_data(custom_attribute={}), "event-field-unknown"),
    ],
)
def test_a_careless_batch_is_stored_with_a_warning(
    serve: Serve,
    client: requests.Session,
    batch: dict[str, Any],
    tmp_path: Path,
    change: dict[str, Any],
    warning: str,
) -> None:
    """What mParticle takes without a word is counted as a warning."""
    receiver = serve()
    client.post(f"{receiver.url}/events", json=changed(batch, change))
    found = report(tmp_path)
    assert (found.accepted, found.warnings) == (1, ((warning, 1),))


def test_an_absent_environment_is_production(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """A batch that does not say its environment counts as production."""
    receiver = serve()
    client.post(f"{receiver.url}/events", json=changed(batch, {"environment": ...}))
    assert report(tmp_path).accepted_per_environment == (("production", 1),)


def test_long_names_are_cut_silently(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """Names of events and attributes are stored with 256 characters and counted as cut."""
    receiver = serve()
    long = with_data(event_name="e" * 300, custom_attributes={"a" * 257: 1.5, "b" * 256: 1})
    sent = changed(batch, {**long, "user_attributes": {"u" * 257: "é"}})
    assert client.post(f"{receiver.url}/events", json=sent).status_code == 202
    (stored,) = accepted(tmp_path)
    data = stored["events"][0]["data"]
    assert data["event_name"] == "e" * 256
    assert data["custom_attributes"] == {"a" * 256: 1.5, "b" * 256: 1}
    assert stored["user_attributes"] == {"u" * 256: "é"}
    assert report(tmp_path).cut == (
        ("event-attribute-name", 1), ("event-name", 1), ("user-attribute-name", 1),
    )  # fmt: skip


def test_event_names_beyond_a_thousand_are_dropped(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """The 1001st distinct name is dropped while known names still pass."""
    receiver = serve()
    batches = [
        changed(batch, {**with_data(event_name=f"n{n}"), "source_request_id": f"r{n}"}) for n in range(1001)
    ]
    for start in range(0, 1001, 100):
        client.post(f"{receiver.url}/bulkevents", json=batches[start : start + 100])
    known = changed(batch, {**with_data(event_name="n5"), "source_request_id": "again"})
    client.post(f"{receiver.url}/events", json=known)
    found = report(tmp_path)
    assert found.accepted == 1001
    assert found.dropped == (("event-name-limit", "a new event name beyond 1000 distinct ones", 1),)


def test_the_size_of_a_batch_is_that_of_its_bytes(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """A batch of exactly 128,000 bytes passes and one more byte does not."""
    receiver = serve()
    padded = json.dumps(batch)[:-1] + " " * (128_000 - len(json.dumps(batch)))
    for body in (padded + "}", padded + " }"):
        headers = {"Content-Type": "application/json"}
        client.post(f"{receiver.url}/events", data=body, headers=headers)
    assert report(tmp_path).accepted == 1
    assert report(tmp_path).dropped == (("batch-size", "the batch is over 128000 bytes", 1),)
