"""SQL of the bytes of a batch: what ``json.dumps`` makes of a dict, and uuid5, done by the engine.

Everything reads columns of one row: ``user_id``; ``i0, i1, …`` (identities), ``a0, …`` (attributes), ``t0, …``
(rendered values); where there are devices ``device_id, push_token, platform``, NULL for a batch without one.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.settings import PropertyType
from workbench.store import engine

SHORT = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
ESCAPES = SHORT | {chr(code): f"\\u{code:04x}" for code in range(0x20) if chr(code) not in SHORT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How the batches of a run are encoded.

    Attributes:
        stages: columns, each of the columns before: what is used twice is computed once.
        constants: what the SQL binds.
    """

    stages: tuple[Mapping[str, str], ...]
    constants: Mapping[str, str]

    def relation(self, source: str) -> str:
        """Return the relation of ``source`` with ``source_request_id`` and ``body``.

        The body is NULL where a rendered value or a finite number is missing.
        """
        for columns in self.stages:
            added = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
            source = f"(SELECT *, {added} FROM {source})"
        return source


@dataclass(slots=True)
class Writer:
    """Binds the constant texts of a batch."""

    constants: dict[str, str] = field(default_factory=dict)

    def bind(self, text: str) -> str:
        """Return the parameter of a constant text."""
        name = f"e{len(self.constants)}"
        self.constants[name] = text
        return f"${name}"

    def members(self, values: Mapping[str, str]) -> str:
        """Return SQL of the members of an object that have a value, with commas between them."""
        parts = [f"{self.bind(f',{dumps(name)}:')} || {value}" for name, value in values.items()]
        return f"substr(concat({', '.join(parts)}), 2)" if parts else "''"


def encoding(
    *,
    namespace: uuid.UUID,
    run_id: str,
    before: Mapping[str, Any],
    identities: Sequence[str],
    attributes: Mapping[str, PropertyType],
    flags: Mapping[str, bool],
    event: Mapping[str, Any],
    shared: Mapping[str, Any],
    rendered: Sequence[str],
    devices: bool,
) -> Encoding:
    """Write the SQL of a run.

    Args:
        namespace: of the ids.
        run_id: part of every id.
        before: the first members of a batch.
        identities: names of ``i0, …``.
        attributes: names and types of ``a0, …``.
        flags: attributes of the user that are the same for all.
        event: the first members of the event's ``data``.
        shared: the attributes of the event; those of ``rendered`` come from ``t0, …``.
        rendered: keys of ``t0, …``.
        devices: whether the columns of a device are there.
    """
    writer = Writer()
    bind = writer.bind
    places = {key: f"t{n}" for n, key in enumerate(rendered)}
    known = writer.members({name: text(f"i{n}") for n, name in enumerate(identities)})
    columns = {name: value(f"a{n}", kind) for n, (name, kind) in enumerate(attributes.items())}
    chosen = writer.members(columns | {name: bind(dumps(flag)) for name, flag in flags.items()})
    info = writer.members({"platform": text("platform"), "push_token": text("push_token")} if devices else {})
    some = (
        " OR ".join(["true"] if flags else [f"a{n} IS NOT NULL" for n in range(len(attributes))]) or "false"
    )
    device = "device_id IS NOT NULL" if devices else "false"
    parts = [
        bind(f'{dumps(before)[:-1]},"source_request_id":"'), "source_request_id",
        bind('","user_identities":{'), known, bind("}"),
        f"""CASE WHEN {some} THEN concat({bind(',"user_attributes":{')}, {chosen}, '}}') END""",
        f"""CASE WHEN {device} THEN concat({bind(',"device_info":{')}, {info}, '}}') END""",
        bind(f',"events":[{{"event_type":"custom_event","data":{dumps(event)[:-1]},"source_message_id":"'),
        "source_message_id", bind('","custom_attributes":'), *_shared(writer, shared, places), bind("}}]}"),
    ]  # fmt: skip
    whole = [f"{place} IS NOT NULL" for place in places.values()]
    whole += [
        f"coalesce(isfinite(a{n}), true)" for n, kind in enumerate(attributes.values()) if kind == "number"
    ]
    stages = [
        *_ids(writer, namespace, run_id, devices=devices),
        {"encoded": f"concat({', '.join(parts)})"},
        {"body": f"CASE WHEN {' AND '.join(whole) or 'true'} THEN encoded END"},
    ]
    return Encoding(stages=tuple(stages), constants=writer.constants)


def text(column: str) -> str:
    """Return SQL of a text as JSON; the engine writes a few control characters in other letters."""
    slow = column
    for char, escaped in ESCAPES.items():
        slow = f"replace({slow}, chr({ord(char)}), {engine.literal(escaped)})"
    quick = f"to_json({column}::VARCHAR)::VARCHAR"
    return f"CASE WHEN contains({quick}, '\\u00') THEN concat('\"', {slow}, '\"') ELSE {quick} END"


def value(column: str, kind: PropertyType) -> str:
    """Return SQL of an attribute as JSON; NULL for none."""
    match kind:
        case "number":
            whole = f"{column} = trunc({column}) AND abs({column}) < 9007199254740992"
            return f"CASE WHEN {whole} THEN {column}::BIGINT::VARCHAR ELSE {column}::VARCHAR END"
        case "boolean":
            return f"{column}::VARCHAR"
        case "date":
            return f"'\"' || strftime({column}, '%Y-%m-%d') || '\"'"
        case "instant":
            return _instant(column)
        case "list":
            entries = f"list_transform({column}, lambda entry: coalesce({text('entry')}, 'null'))"
            quick = f"to_json({column})::VARCHAR"
            slow = f"concat('[', array_to_string({entries}, ','), ']')"
            return f"CASE WHEN contains({quick}, '\\u00') THEN {slow} ELSE {quick} END"
        case "text" | "version":
            return text(column)


def dumps(value_: Any) -> str:
    """Return the JSON of a constant."""
    return json.dumps(value_, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _shared(writer: Writer, shared: Mapping[str, Any], places: Mapping[str, str]) -> Iterable[str]:
    """Yield the object of the event's attributes: constants, and texts in their places."""
    constant = "{"
    for n, (key, item) in enumerate(shared.items()):
        constant += f"{',' if n else ''}{dumps(key)}:"
        if key in places:
            yield writer.bind(constant)
            yield text(places[key])
            constant = ""
        else:
            constant += dumps(item)
    yield writer.bind(constant + "}")


def _instant(column: str) -> str:
    moment = f"make_timestamp(epoch_us({column}))"
    fraction = f"CASE WHEN epoch_us({column}) % 1000000 <> 0 THEN strftime({moment}, '.%f') ELSE '' END"
    return f"CASE WHEN {column} IS NOT NULL THEN concat('\"', strftime({moment}, '%Y-%m-%dT%H:%M:%S'), {fraction}, '+00:00\"') END"


def _ids(writer: Writer, namespace: uuid.UUID, run_id: str, *, devices: bool) -> Iterable[dict[str, str]]:
    """Yield the stages of ``source_request_id`` and ``source_message_id``; a device's are inside its user's.

    Source: RFC 9562, section 5.5: sha1 of namespace and name, with version and variant put in.
    """
    kinds = ("request", "message")
    space = f"unhex({engine.literal(namespace.hex)})"
    names = {kind: f"encode({writer.bind(f'{kind}/{run_id}/')} || user_id)" for kind in kinds}
    yield {f"{kind}_digest": f"sha1({space} || {name})" for kind, name in names.items()}
    if not devices:
        yield {f"source_{kind}_id": _uuid5(f"{kind}_digest") for kind in kinds}
        return
    yield {f"user_{kind}_id": _uuid5(f"{kind}_digest") for kind in kinds}
    inner = {kind: f"unhex(replace(user_{kind}_id, '-', ''))" for kind in kinds}
    yield {f"device_{kind}_digest": f"sha1({inner[kind]} || encode(device_id))" for kind in kinds}
    yield {
        f"source_{kind}_id": f"CASE WHEN device_id IS NULL THEN user_{kind}_id "
        f"ELSE {_uuid5(f'device_{kind}_digest')} END"
        for kind in kinds
    }


def _uuid5(digest: str) -> str:
    nibble = f"substr({digest}, 17, 1)"
    variant = f"substr('89ab', 1 + ((ascii({nibble}) + ({nibble} > '9')::INTEGER) & 3), 1)"
    pieces = [
        f"substr({digest}, 1, 8)", "'-'", f"substr({digest}, 9, 4)", "'-5'", f"substr({digest}, 14, 3)", "'-'",
        variant, f"substr({digest}, 18, 3)", "'-'", f"substr({digest}, 21, 12)",
    ]  # fmt: skip
    return f"concat({', '.join(pieces)})"
