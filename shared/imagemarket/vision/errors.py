"""The errors of the model."""

from __future__ import annotations

from imagemarket.platform.errors import DependencyUnavailable


class ModelNotReady(DependencyUnavailable):
    """The embedding endpoint is scaled to zero or still loading its model."""

    slug, title, status, retryable = "model-not-ready", "The model is not ready yet", 503, True
