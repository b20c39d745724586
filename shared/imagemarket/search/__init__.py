"""Finding images: reading queries, the engines, ranking, indexing, suggestions."""
