"""Reads TIFF files: directories and tags, and pages that Pillow refuses or reads wrongly."""
