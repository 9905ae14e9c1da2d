"""Colorizes images with a model bundle: network input, network, and the photograph's own lightness."""
