"""What an image is in the catalogue: its row, its taxonomy, its renditions."""
