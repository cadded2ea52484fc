"""SQL of the bytes of a batch: what ``json.dumps`` makes of a dict, and uuid5, done by the engine.

A control character that has no escape of its own is written in capital letters, as the engine does it.
Everything reads columns of one row: ``user_id``; ``i0, i1, …`` (identities), ``a0, …`` (attributes), ``t0, …``
(rendered values); where there are devices ``device_id, push_token, platform``, NULL for a batch without one.
"""

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.settings import PropertyType
from workbench.store import engine

# In JSON, what stands for a control character or a backslash.
ESCAPE = re.compile(r"\\(?:u....|.)")


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
        """Return the relation of ``source`` with ``source_request_id`` and ``body``, which ends with a comma.

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
        parts = [f"{self.bind(f'{dumps(name)}:')} || {value}" for name, value in values.items()]
        return f"concat_ws(',', {', '.join(parts)})" if parts else "''"


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
        "source_request_id", bind('","custom_attributes":'), *_shared(writer, shared, places), bind("}}]},"),
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
    """Return SQL of a text as JSON."""
    return f"to_json({column}::VARCHAR)::VARCHAR"


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
            return f"to_json({column})::VARCHAR"
        case "text" | "version":
            return text(column)


def dumps(value_: Any) -> str:
    """Return the JSON of a constant."""
    found = json.dumps(value_, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return ESCAPE.sub(
        lambda escape: "\\u" + escape[0][2:].upper() if escape[0][1] == "u" else escape[0], found
    )


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
    """Yield the stages of ``source_request_id``; that of a device is inside its user's.

    Source: RFC 9562, section 5.5: sha1 of namespace and name, with version and variant put in.
    """
    space = f"unhex({engine.literal(namespace.hex)})"
    yield {"digest": f"sha1({space} || encode({writer.bind(f'request/{run_id}/')} || user_id))"}
    if not devices:
        yield {"source_request_id": _uuid5("digest")}
        return
    yield {"of_user": _uuid5("digest")}
    yield {"device_digest": "sha1(unhex(replace(of_user, '-', '')) || encode(device_id))"}
    yield {
        "source_request_id": f"CASE WHEN device_id IS NULL THEN of_user ELSE {_uuid5('device_digest')} END"
    }


def _uuid5(digest: str) -> str:
    nibble = f"substr({digest}, 17, 1)"
    variant = f"substr('89ab', 1 + ((ascii({nibble}) + ({nibble} > '9')::INTEGER) & 3), 1)"
    pieces = [
        f"substr({digest}, 1, 8)", "'-'", f"substr({digest}, 9, 4)", "'-5'", f"substr({digest}, 14, 3)", "'-'",
        variant, f"substr({digest}, 18, 3)", "'-'", f"substr({digest}, 21, 12)",
    ]  # fmt: skip
    return f"concat({', '.join(pieces)})"
