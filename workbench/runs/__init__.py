"""The path: plan a run without a side effect, then execute it once.

    qualify - safety - control - identity - reachable, consent - render, lint - cap   (planning)
    freeze - reserve                                                          (reserving)
    send - mark                                                               (sending)
    who leaves the audience that a campaign keeps                             (leaving)
    held out - into the lake                                                  (held_out)
    stop; rejected requests once more; a person's word for what stays open    (stopping, redriving, settling)

Notebooks, the command line and papermill call ``plan``, ``execute``, ``resume`` and ``stop``; there is no second
way to send.
"""

from workbench.runs.dry import DryRun, dry_run
from workbench.runs.planning import Plan, Report, plan, run_id, safety_check
from workbench.runs.redriving import redrive, rejected
from workbench.runs.sending import Clock, Receipt, connect, execute, not_sent, resume
from workbench.runs.settling import settle
from workbench.runs.stopping import stop

__all__ = [
    "Clock", "DryRun", "Plan", "Receipt", "Report", "connect", "dry_run", "execute", "not_sent", "plan", "redrive",
    "rejected", "resume", "run_id", "safety_check", "settle", "stop",
]  # fmt: skip
