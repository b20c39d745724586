"""What is watched: one list, which the CloudWatch dashboard and one machine's dashboard are both made from.

Metrics are written as EMF lines by `imagemarket.platform.telemetry`, with the function as the dimension `service`. A
name that ends in `*` stands for a family, such as one metric for each step of the saga.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NAMESPACE = "imagemarket"

LAMBDA_GB_SECOND_MICRODOLLARS = 13.3334
"""Lambda on arm64: 0.0000133334 US dollars for each GB-second (us-east-1 price list)."""
LAMBDA_REQUEST_MICRODOLLARS = 0.2
"""Lambda: 0.20 US dollars for a million requests."""

Statistic = Literal["Sum", "p50", "p95"]


@dataclass(frozen=True)
class Series:
    """One metric, or one family, in a panel."""

    metric: str
    label: str
    statistic: Statistic = "Sum"


@dataclass(frozen=True)
class Panel:
    """What is looked at together."""

    title: str
    series: tuple[Series, ...]
    unit: Literal["count", "ms", "µ$"] = "count"


PANELS = (
    Panel("Uploads", (Series("UploadsAnnounced", "announced"), Series("Images.*", "{} images"))),
    Panel("Duration of steps", (Series("Step.*", "{} p95", "p95"),), unit="ms"),
    Panel(
        "Failures by cause",
        (
            Series("StepFailed.*", "step: {}"),
            Series("MessagesFailed.*", "message: {}"),
            Series("JobsFailed.*", "job: {}"),
            Series("EventsRefused", "events that the bus refused"),
            Series("DecodersUnconfined", "decoders that could not be confined"),
        ),
    ),
    Panel(
        "Duplicates",
        (Series("StepFailed.DuplicateImage", "refused pictures"), Series("ReplaysDropped", "replays sent twice")),
    ),
    Panel("Dead letters", (Series("DeadLetters.*", "remediation: {}"),)),
    Panel("Cost of processing", (Series("StepCost.*", "{}"),), unit="µ$"),
    Panel("Requests", (Series("Requests", "requests"), Series("ServerErrors", "server errors"))),
    Panel(
        "Duration of requests",
        (Series("RequestDuration", "p50", "p50"), Series("RequestDuration", "p95", "p95")),
        unit="ms",
    ),
    Panel("Search by mode", (Series("SearchDuration.*", "{} p95", "p95"),), unit="ms"),
    Panel(
        "Search answers",
        (
            Series("Searches", "searches"),
            Series("SearchesDegraded", "degraded"),
            Series("PagesFromCache", "from the cache"),
        ),
    ),
    Panel("Webhooks", (Series("WebhookAttempts.*", "{}"), Series("WebhooksDisabled", "disabled"))),
    Panel("Contributors told", (Series("NotificationsTold", "notifications"),)),
)


def lambda_cost_microdollars(memory_mb: float, milliseconds: float) -> float:
    """What one run of a function costs, in millionths of a US dollar.

    Memory in GB (1,024 MB) times seconds times the GB-second's price, and the request's price. What the handler ran
    is measured, not the start before it; storage, state transitions and the model endpoint are not in it.
    """
    gb_seconds = memory_mb / 1024 * milliseconds / 1000
    return gb_seconds * LAMBDA_GB_SECOND_MICRODOLLARS + LAMBDA_REQUEST_MICRODOLLARS
