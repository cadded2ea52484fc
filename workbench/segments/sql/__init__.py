"""The condition tree as DuckDB SQL: one named CTE a condition, values bound, identifiers from the catalogue.

The query reads the views of a lake version and answers with one column, ``user_code``. Sets are
combined with INTERSECT, UNION and EXCEPT, which mean the same on every engine; a user without a profile
at ``as_of`` is in no segment.
"""

from workbench.segments.sql.compiler import compile_sql
from workbench.segments.sql.query import EVERYONE, Query, Step

__all__ = ["EVERYONE", "Query", "Step", "compile_sql"]
