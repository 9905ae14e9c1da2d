"""Colorizing archives: source -> plan -> predict -> merge -> sink, with a ledger of what was done."""
