"""The stages of an archive run: read, predict, merge, write."""
