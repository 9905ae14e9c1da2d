"""Finds the photographs that INPUT names, in folders, lists, tar, zip and Parquet files, and reads them."""
