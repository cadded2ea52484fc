"""Who is responsible for one user who moved, in plain Python: slow, obvious, one user and one leaf at a time.

A tree is ``("all", parts)``, ``("any", parts)``, ``("not", part)`` or a leaf ``(attribute, least)``; a person is
a mapping of attributes to numbers, or None without a profile.
"""

from collections.abc import Iterator
from typing import Any

Tree = tuple[Any, ...]
Person = dict[str, int] | None
GROUPS = ("all", "any", "not")


def holds(tree: Tree, person: Person, turned: Tree | None = None) -> bool:
    """Whether a person is in a segment; ``turned`` is a leaf that says the opposite."""
    return person is not None and _holds(tree, person, turned)


def _holds(tree: Tree, person: dict[str, int], turned: Tree | None) -> bool:
    if tree[0] == "all":
        return all(_holds(part, person, turned) for part in tree[1])
    if tree[0] == "any":
        return any(_holds(part, person, turned) for part in tree[1])
    if tree[0] == "not":
        return not _holds(tree[1], person, turned)
    return (person[tree[0]] >= tree[1]) != (tree == turned)


def leaves(tree: Tree) -> list[Tree]:
    """As they read: a leaf right under a not is ``("not", leaf)``; each once."""
    found: list[Tree] = []
    for leaf in _leaves(tree):
        if leaf not in found:
            found.append(leaf)
    return found


def _leaves(tree: Tree) -> Iterator[Tree]:
    if tree[0] in {"all", "any"}:
        for part in tree[1]:
            yield from _leaves(part)
    elif tree[0] == "not" and tree[1][0] in GROUPS:
        yield from _leaves(tree[1])
    else:
        yield tree


def bare(leaf: Tree) -> Tree:
    """The leaf without its not."""
    return leaf[1] if leaf[0] == "not" else leaf


def without(tree: Tree, leaf: Tree) -> Tree | None:
    """The tree with a leaf taken out, and the groups that become empty."""
    if tree[0] in {"all", "any"}:
        kept = [part for part in (without(part, leaf) for part in tree[1]) if part]
        return (tree[0], kept) if kept else None
    if tree[0] == "not":
        inner = without(tree[1], leaf)
        return ("not", inner) if inner else None
    return None if tree == leaf else tree


def twins(before: Tree, after: Tree) -> dict[tuple[int, Tree], Tree]:
    """Which leaf of one side (0 before, 1 after) is which leaf of the other."""
    old, new = leaves(before), leaves(after)
    found: dict[tuple[int, Tree], Tree] = {}
    gone = [leaf for leaf in old if leaf not in new]
    for leaf in new:
        if leaf in old:
            found[0, leaf] = found[1, leaf] = leaf
            continue
        for was in gone:
            if bare(was)[0] == bare(leaf)[0]:
                found[1, leaf], found[0, was] = was, leaf
                gone.remove(was)
                break
    return found


def cause(trees: tuple[Tree, Tree], people: tuple[Person, Person], refusing: int) -> Tree | str:
    """The leaf responsible, as it reads after (or did before it was removed); or a word."""
    admitting = 1 - refusing
    person, same = people[refusing], twins(*trees)
    if person is None:
        return "no profile"

    def name(side: int, leaf: Tree) -> Tree:
        return leaf if side == 1 else same.get((0, leaf), leaf)

    def differs(leaf: Tree) -> bool:
        return holds(leaf, person) != holds(same[refusing, leaf], people[admitting])

    able = [leaf for leaf in leaves(trees[refusing]) if holds(trees[refusing], person, bare(leaf))]
    for leaf in able:
        twin = same.get((refusing, leaf))
        if twin is None or (twin != leaf and differs(leaf)):
            return name(refusing, leaf)
    for leaf in able:
        if same.get((refusing, leaf)) == leaf and differs(leaf):
            return name(refusing, leaf)
    for leaf in leaves(trees[admitting]):
        if (admitting, leaf) not in same:
            rest = without(trees[admitting], bare(leaf))
            if rest and not holds(rest, people[admitting]):
                return name(admitting, leaf)
    return name(refusing, able[0]) if able else "several"
