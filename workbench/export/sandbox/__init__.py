"""The embedded receiver: a loopback server that answers as mParticle's Events API does.

`Receiver` serves, `intake` takes one request, `shape` and `rules` judge each batch, `archive`
keeps what was accepted, `report` reads it back. `answers` is the language of scripted answers.

The package imports nothing else of the workbench: it judges an export by its own rules.
"""

from workbench.export.sandbox.answers import Answer, parse_answers
from workbench.export.sandbox.archive import reset
from workbench.export.sandbox.receiver import Receiver
from workbench.export.sandbox.report import (
    DroppedBatch,
    Report,
    RequestLine,
    accepted,
    attributes,
    report,
    texts,
)

__all__ = [
    "Answer",
    "DroppedBatch",
    "Receiver",
    "Report",
    "RequestLine",
    "accepted",
    "attributes",
    "parse_answers",
    "report",
    "reset",
    "texts",
]
