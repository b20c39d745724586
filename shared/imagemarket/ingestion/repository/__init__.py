"""The rows of uploads, steps and fingerprints, read beside those of their images: ingestion's SQL."""
