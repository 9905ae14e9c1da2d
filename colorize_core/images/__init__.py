"""Bytes of image files to pixels and back."""
