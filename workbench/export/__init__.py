"""From verdicts to accepted requests: payload, frozen bytes, client, ledger."""
