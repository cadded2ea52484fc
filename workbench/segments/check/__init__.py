"""All problems of a tree at once, each with its path: nothing is dropped, guessed or widened."""

from workbench.segments.check.tree import check, problems

__all__ = ["check", "problems"]
