"""What the ledger says about past runs; nothing here writes."""
