"""Reads and writes image files: decoding, color management, metadata and encoding."""
