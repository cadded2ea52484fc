"""The condition tree as a Polars lazy frame: the same users as the SQL, without a database."""

from workbench.segments.frames.compiler import compile_frame

__all__ = ["compile_frame"]
