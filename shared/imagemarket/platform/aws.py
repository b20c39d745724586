"""Which failures of an AWS call may pass by themselves."""

from __future__ import annotations

THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""The codes that AWS's own SDKs wait for (botocore, `retries/standard.py`)."""

_PASSING = frozenset({"RequestTimeout", "RequestTimeoutException", "InternalError", "ServiceUnavailable"})


def is_transient(error: Exception) -> bool:
    """Whether trying again may help: the network, a timeout, throttling, or a fault on the other side."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return code in THROTTLED or code in _PASSING or status == 429 or status >= 500
    return isinstance(error, BotoCoreError)
