"""Meaning: what the models say of an image or of words; the contract of the model server."""
