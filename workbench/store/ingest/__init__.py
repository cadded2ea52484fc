"""Ingest: read, type, check, map users to codes, sort, write, commit. Nothing is visible before the commit."""

from workbench.store.ingest.lists import ListSummary, import_list
from workbench.store.ingest.run import Summary, derive_profiles, ingest

__all__ = ["ListSummary", "Summary", "derive_profiles", "import_list", "ingest"]
