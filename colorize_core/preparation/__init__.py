"""Converts published data sets to training-ready shards."""
