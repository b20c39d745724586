"""Calls of AWS: their trace, and their failures as errors of ours, by whether trying again may help."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imagemarket.platform.errors import DependencyRefused, DependencyUnavailable

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

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

_PASSING = frozenset(
    {
        *("RequestTimeout", "RequestTimeoutException", "InternalError", "ServiceUnavailable"),
        # so many at a time: Step Functions' open executions, CloudFront's invalidations under way
        *("ExecutionLimitExceeded", "TooManyInvalidationsInProgress"),
    }
)


def is_transient(error: Exception) -> bool:
    """Whether trying again may help: the network, a timeout, throttling, or a fault on the other side."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return code in THROTTLED or code in _PASSING or status == 429 or status >= 500
    return isinstance(error, BotoCoreError)


@contextmanager
def aws_errors(service: str) -> Iterator[None]:
    """Turns what botocore raises inside into errors of ours, which name the `service`.

    Raises `DependencyUnavailable` where trying again may help, and `DependencyRefused`, with AWS's code, where it would
    not.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if not isinstance(error, ClientError) or is_transient(error):
            raise DependencyUnavailable(f"{service} is not answering; try again.") from error
        said = error.response.get("Error", {})
        code = str(said.get("Code", ""))
        raise DependencyRefused(
            f"{service} refused the call ({code}).", code=code, message=str(said.get("Message", ""))
        ) from error


def in_its_own_trace(request: AWSPreparedRequest, **_: object) -> None:
    """A handler of botocore's `before-send.sfn.StartExecution`: the call names the trace that the execution is to go
    on with. Step Functions prefers the HTTP header to the body's `traceHeader`, and botocore and X-Ray's SDK both
    have set it to the caller's trace by then."""
    assert isinstance(request.body, bytes)
    told = json.loads(request.body).get("traceHeader")
    if told is not None:
        request.headers["X-Amzn-Trace-Id"] = told
