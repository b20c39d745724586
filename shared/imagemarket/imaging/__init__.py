"""Pixels: decoding in a sandbox, renditions, watermarks, hashes, metadata."""
