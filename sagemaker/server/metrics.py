"""What the model server tells of itself: counters for Prometheus at `/metrics`, and a log line for CloudWatch.

SageMaker lets nothing but `/ping` and `/invocations` through, so the same figures are also logged once a minute in
CloudWatch's embedded metric format, from which CloudWatch makes metrics.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

NAMESPACE = "imagemarket"

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The server's figures. `waiting` tells how many pictures are in work and waiting."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "requests",
            "Requests by the status of their answer",
            ["status"],
            namespace=NAMESPACE,
            registry=self._registry,
        )
        self.pictures = Counter(
            "pictures", "Pictures by what became of them", ["outcome"], namespace=NAMESPACE, registry=self._registry
        )
        self.request_seconds = Histogram(
            "request_seconds", "Seconds to an answer", namespace=NAMESPACE, registry=self._registry, buckets=_SECONDS
        )
        self.batch_seconds = Histogram(
            "batch_seconds", "Seconds of a batch", namespace=NAMESPACE, registry=self._registry, buckets=_SECONDS
        )
        self.batch_size = Histogram(
            "batch_size", "Pictures of a batch", namespace=NAMESPACE, registry=self._registry, buckets=_SIZES
        )
        gauge = Gauge("waiting", "Pictures in work and waiting", namespace=NAMESPACE, registry=self._registry)
        gauge.set_function(waiting)
        self._waiting = waiting
        self._device = Gauge(
            "device", "1 for the device that the model is on", ["device"], namespace=NAMESPACE, registry=self._registry
        )
        self._fell_back = Gauge(
            "fell_back",
            "1 where the model is on the CPU because its GPU could not be used",
            namespace=NAMESPACE,
            registry=self._registry,
        )
        self._told: dict[str, float] = {}

    def say_device(self, device: str, *, fell_back: bool) -> None:
        """The model is loaded, on `device`."""
        self._device.labels(device).set(1)
        self._fell_back.set(fell_back)

    def text(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self._registry)

    def log_line(self, model_version: str) -> str:
        """What happened since the last line, in the embedded metric format."""
        since = {
            "Requests": self._sum("imagemarket_requests_total"),
            "Pictures": self._sum("imagemarket_pictures_total"),
            "Refusals": self._sum("imagemarket_requests_total", status="429"),
            "Batches": self._sum("imagemarket_batch_size_count"),
            "BatchSeconds": self._sum("imagemarket_batch_seconds_sum"),
        }
        news = {name: round(value - self._told.get(name, 0), 3) for name, value in since.items()}
        self._told = since
        states = {"Waiting": self._waiting(), "FellBack": self._sum("imagemarket_fell_back")}
        directive = {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["ModelVersion"]],
                    "Metrics": [
                        {"Name": name, "Unit": "Seconds" if name.endswith("Seconds") else "Count"}
                        for name in [*news, *states]
                    ],
                }
            ],
        }
        return json.dumps({"_aws": directive, "ModelVersion": model_version, **states, **news})

    def _sum(self, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for metric in self._registry.collect()
            for sample in metric.samples
            if sample.name == name and all(sample.labels.get(key) == value for key, value in labels.items())
        )
