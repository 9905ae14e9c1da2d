"""Measures how good the colors of bundles are: metrics, tables over a data set, and a report with pictures."""
