"""Attributes of users: every value once, and for each user the number of it; a filter asks the values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workbench.segments.predicates import Operator, Predicate
from workbench.segments.sql import compare
from workbench.segments.traits import UserProperty
from workbench.segments.vectors.question import Mask, Question
from workbench.store.catalogue import Property
from workbench.store.engine import quote

HELD, FEW = "held", 8
SAME, OTHER = {Operator.EQUALS, Operator.IN}, {Operator.NOT_EQUALS, Operator.NOT_IN}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of every user, as of an instant.

    Attributes:
        numbers: by user code the place of the value in ``values``; its length for users without profile.
        values: every value once; null is one of them.
    """

    numbers: npt.NDArray[Any]
    values: pa.Array

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.numbers.nbytes + int(self.values.nbytes)

    def holds(self, chosen: npt.NDArray[np.bool_]) -> Mask:
        """Return whose value is among those that are chosen, by the place of the value."""
        places = np.flatnonzero(chosen)
        if len(places) > FEW:
            found: Mask = np.append(chosen, [False])[self.numbers]
            return found
        found = np.zeros(len(self.numbers), dtype=np.bool_)
        for place in places:
            found |= self.numbers == place
        return found


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
        if not len(held.values):
            # Nobody has a profile at the instant, and the values are of no type.
            return np.zeros(question.users, dtype=np.bool_)
        if found.type == "text" and item.operator in SAME | OTHER:
            return held.holds(_named(held.values, item))
        table = pa.table({"number": np.arange(len(held.values)), found.column: held.values})
        chosen = np.zeros(len(held.values), dtype=np.bool_)
        for numbers in question.arrays(sql, writer.parameters, held={HELD: table}):
            chosen[numbers] = True
        return held.holds(chosen)

    return question.vectors.get(key, compute)


def _named(values: pa.Array, item: Predicate) -> Mask:
    """Return which texts are, or are not, among those of a filter; the engine would take longer to be asked."""
    same: Mask = pc.is_in(values, pa.array(item.values, pa.string())).to_numpy(zero_copy_only=False)
    if item.operator in SAME:
        return same
    there: Mask = values.is_valid().to_numpy(zero_copy_only=False)
    return there & ~same


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
        return Attribute(np.zeros(question.users, np.uint8), pa.array([], pa.string()))
    column = table.column(1)
    if pa.types.is_dictionary(column.type):
        encoded = column.unify_dictionaries().combine_chunks()
    else:
        encoded = column.dictionary_encode().combine_chunks()
    # The last two numbers are null, and no profile.
    values = pa.concat_arrays([encoded.dictionary, pa.nulls(1, encoded.dictionary.type)])
    indices = encoded.indices.fill_null(len(values) - 1) if encoded.null_count else encoded.indices
    codes, places = table.column(0).to_numpy(), indices.to_numpy()
    numbers = np.full(question.users, len(values), dtype=np.min_scalar_type(len(values)))
    if len(codes) == question.users and codes[0] == 0 and (codes[1:] > codes[:-1]).all():
        numbers[:] = places
    else:
        numbers[codes] = places
    return Attribute(numbers, values)
