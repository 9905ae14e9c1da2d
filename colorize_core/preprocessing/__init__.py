"""Preprocessing that training and inference share: network input and output, and the size a network sees."""
