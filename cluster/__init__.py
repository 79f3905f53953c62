"""What the flow stands on: settings, ledger, blob store, planning, supervision and the command line."""
