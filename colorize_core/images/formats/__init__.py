"""Writers of image files, by format."""
