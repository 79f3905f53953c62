"""Who may use the service, and how much of it; all of it in the ledger's database, so that replicas share it."""
