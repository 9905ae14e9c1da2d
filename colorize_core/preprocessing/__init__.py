"""What training and inference both do to pixels before and after the network."""
