"""From rows of pixels to a trained model bundle."""
