"""State of an OUTPUT between runs: the ledger, the lock, and summaries of runs."""
