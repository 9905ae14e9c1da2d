"""Trains models on data sets, searches their settings, and writes the results as model bundles."""
