"""What an OUTPUT keeps from run to run: the ledger, the lock, and summaries of runs."""
