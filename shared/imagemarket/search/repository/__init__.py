"""Search's SQL outside its engines: what documents are made of, suggestions, searches, looks, models."""
