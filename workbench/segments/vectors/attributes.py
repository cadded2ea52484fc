"""Attributes of users: every value once, and for each user the number of it; a filter asks the values."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.segments.sql import compare
from workbench.segments.traits import UserProperty
from workbench.segments.vectors.question import Mask, Question
from workbench.store.catalogue import Property
from workbench.store.engine import quote

HELD = "held"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of every user, as of an instant.

    Attributes:
        numbers: by user code the place of the value in ``values``; its length for users without profile.
        values: every value once; null is one of them.
    """

    numbers: npt.NDArray[np.int32]
    values: pa.Array

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.numbers.nbytes + int(self.values.nbytes)


def user_property(question: Question, condition: UserProperty) -> Mask | None:
    """Return whose attribute fits; None where it is not held: lists, ids, values that hardly repeat."""
    item, known = condition.predicate, question.scope.catalogue.attributes
    found = known[item.property]
    if found.type == "list" or not question.reader.repeats("profiles", found.column):
        return None
    writer = question.writer()
    fits = compare.predicate(writer, item, known, "user")
    sql = f"SELECT number FROM {HELD} WHERE {fits}"
    key = question.key(f"attribute {profiles_sql(question, found)}\n{sql}", writer.parameters, "profiles")

    def compute() -> Mask:
        held = attribute(question, found)
        table = pa.table({"number": np.arange(len(held.values)), found.column: held.values})
        chosen = np.zeros(len(held.values) + 1, dtype=np.bool_)
        for numbers in question.arrays(sql, writer.parameters, held={HELD: table}):
            chosen[numbers] = True
        return chosen[held.numbers]

    return question.vectors.get(key, compute)


def attribute(question: Question, found: Property) -> Attribute:
    """Return an attribute of every user."""
    sql = profiles_sql(question, found)
    parameters = question.writer().parameters
    return question.vectors.get(
        question.key(sql, parameters, "profiles"), lambda: _attribute(question, found, sql)
    )


def profiles_sql(question: Question, found: Property) -> str:
    """Return the query for an attribute of every user."""
    writer = question.writer()
    if question.single_profiles:
        return f"SELECT user_code, {quote(found.column)} FROM profile_versions"
    return f"{writer.query.ctes}\nSELECT user_code, {quote(found.column)} FROM profiles"


def _attribute(question: Question, found: Property, sql: str) -> Attribute:
    table = None
    if question.single_profiles and found.type in {"text", "version"}:
        table = question.reader.dictionary("profiles", found.column)
    if table is None:
        parts = list(question.batches(sql, question.writer().parameters))
        table = pa.Table.from_batches(parts) if parts else None
    if table is None:
        return Attribute(np.zeros(question.users, np.int32), pa.array([], pa.string()))
    column = table.column(1)
    if pa.types.is_dictionary(column.type):
        encoded = column.unify_dictionaries().combine_chunks()
    else:
        encoded = column.dictionary_encode().combine_chunks()
    values = pa.concat_arrays([encoded.dictionary, pa.nulls(1, encoded.dictionary.type)])
    indices = encoded.indices.fill_null(len(values) - 1) if encoded.null_count else encoded.indices
    codes, places = table.column(0).to_numpy(), indices.to_numpy()
    if len(codes) == question.users and (np.diff(codes) == 1).all():
        return Attribute(places.astype(np.int32, copy=False), values)
    numbers = np.full(question.users, len(values), dtype=np.int32)
    numbers[codes] = places
    return Attribute(numbers, values)
