"""The database that is the truth: jobs, leases, stages, parts, outputs and events. Ray is only its executor."""
