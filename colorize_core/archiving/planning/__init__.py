"""Decides what a run has to do, and what each result is called."""
