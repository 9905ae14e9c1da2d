"""Runs work on a Ray cluster or in child processes of this machine, and sets up the libraries of a process."""
