"""From an announced upload to a published image: uploads, the saga's steps and their runs, duplicates."""
