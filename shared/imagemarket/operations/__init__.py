"""What keeps the whole running: dead letters, the consistency check, retention."""
