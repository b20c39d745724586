"""Favourites: the images that an account keeps a note of."""
