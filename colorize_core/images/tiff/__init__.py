"""TIFF files: directories and tags, pages that Pillow refuses or reads wrongly, and the encoder."""
