"""Floor 0: settings, errors, ids, clock, database, object store, queue, HTTP problems, telemetry."""
