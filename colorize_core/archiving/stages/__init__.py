"""The stages of an archive run: read, predict and finish, which merges and writes; and the detection of duplicates."""
