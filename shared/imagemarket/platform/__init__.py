"""Mechanism alone: settings, errors, ids, clock, database, objects, queues, events, handlers, telemetry."""
