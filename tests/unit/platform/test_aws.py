"""Which failures of an AWS call are tried again, and what they become."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from imagemarket.platform.aws import THROTTLED, aws_errors, is_transient
from imagemarket.platform.errors import DependencyRefused, DependencyUnavailable


def _refused(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_throttling_passes_whatever_the_status(code: str) -> None:
    assert is_transient(_refused(code, 400))


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://s3.test"),
        ReadTimeoutError(endpoint_url="https://s3.test"),
        _refused("RequestTimeout", 400),
        _refused("Anything", 429),
        _refused("InternalError", 500),
        _refused("Anything", 503),
    ],
)
def test_the_network_and_faults_of_the_other_side_pass(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error", [_refused("AccessDenied", 403), _refused("ValidationException", 400), ValueError("a bug")]
)
def test_what_would_fail_again_is_not_tried_again(error: Exception) -> None:
    assert not is_transient(error)


def test_a_failure_that_may_pass_is_told_from_a_refusal() -> None:
    with pytest.raises(DependencyUnavailable, match="The queue is not answering") as passing, aws_errors("The queue"):
        raise EndpointConnectionError(endpoint_url="https://sqs.test")
    assert type(passing.value) is DependencyUnavailable
    with pytest.raises(DependencyUnavailable), aws_errors("The queue"):
        raise _refused("SlowDown", 400)
    with pytest.raises(DependencyRefused, match="The queue refused") as refused, aws_errors("The queue"):
        raise _refused("AccessDenied", 403)
    assert (refused.value.code, refused.value.retryable) == ("AccessDenied", False)
    with pytest.raises(ValueError, match="a bug"), aws_errors("The queue"):
        raise ValueError("a bug")


def test_it_knows_what_the_sdk_itself_waits_for() -> None:
    from botocore.retries.standard import ThrottledRetryableChecker

    assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) == THROTTLED  # pyright: ignore[reportAttributeAccessIssue]
