r"""Regular expressions: those of RE2, found anywhere in the text, and the same on every engine.

``\d``, ``\w``, ``\s`` and ``\b`` are about ASCII. What engines read differently is refused.
"""

import re
from functools import lru_cache

import polars as pl

from workbench.store import engine

LONGEST = 1000
PERL = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
SIGN = re.compile(r"\\[pP]\{[^}]*\}|\\x\{[^}]*\}|\\.|\[:\^?[a-z]+:\]|\[\^?\]?|&&|--|~~|.", re.DOTALL)
BLANK_COUNT = re.compile(r"\{(?=[^}]*\s)[\s\d,]*\}")
REFUSED = {r"\B", r"\C", r"\Q", r"\E", r"\<", r"\>", r"\u", r"\U", r"\h", r"\H"}


@lru_cache(maxsize=1000)
def problem(pattern: str) -> str | None:
    """Return why a pattern cannot be used, or None."""
    if len(pattern) > LONGEST:
        return f"a regular expression has at most {LONGEST:,} characters, this one {len(pattern):,}"
    if BLANK_COUNT.search(pattern):
        return f'regular expression "{pattern}": no blanks between {{ and }}'
    for sign, inside in _signs(pattern):
        if sign in REFUSED:
            return f'regular expression "{pattern}": {sign} does not mean the same on every engine'
        if inside and (sign in {"&&", "--", "~~"} or (sign.startswith("[") and not sign.startswith("[:"))):
            return f'regular expression "{pattern}": write \\{sign[0]} for {sign} inside [ ]'
    reason = engine.pattern_fault(pattern)
    if reason is None:
        try:
            pl.select(pl.lit("").str.contains(rust(pattern)))
        except pl.exceptions.PolarsError as error:
            reason = str(error).strip().splitlines()[-1].removeprefix("error: ")
    return None if reason is None else f'regular expression "{pattern}" is malformed: {reason}'


def rust(pattern: str) -> str:
    r"""Return a pattern as the Rust crate reads it: there ``\d``, ``\w``, ``\s`` and ``\b`` mean Unicode.

    >>> rust(r"\d[\s,]\b")
    '[0-9][\\t\\n\\f\\r ,](?-u:\\b)'
    """
    found: list[str] = []
    after_escape = False
    for sign, inside in _signs(pattern):
        name = sign[1:].lower()
        literal_dash = sign == "-" and inside and after_escape
        after_escape = sign.startswith("\\") and name in PERL
        if literal_dash:
            found.append(r"\-")
        elif sign == r"\b" and not inside:
            found.append(r"(?-u:\b)")
        elif sign.startswith("\\") and name in PERL:
            negated = "^" if sign[1].isupper() else ""
            found.append(PERL[name] if inside and not negated else f"[{negated}{PERL[name]}]")
        else:
            found.append(sign)
    return "".join(found)


def _signs(pattern: str) -> list[tuple[str, bool]]:
    """Cut a pattern into escapes and signs, each with whether it stands inside a class."""
    found, inside = [], False
    for sign in SIGN.findall(pattern):
        if sign.startswith("[") and not inside and not sign.startswith("[:"):
            found.append((sign, False))
            inside = True
            continue
        if sign == "]":
            inside = False
        found.append((sign, inside))
    return found
