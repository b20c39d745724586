"""The model endpoint, through SageMaker's runtime API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagemarket.platform.aws import is_transient
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.vision.errors import ModelNotReady
from imagemarket.vision.models import JPEGS, AnalyseResponse, pack

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

# An inference component that is scaled to zero has "no capacity to process this request", a ValidationError.
_NOT_READY = {"ModelNotReadyException", "ModelNotReady", "ServiceUnavailable", "InternalDependencyException"}


class VisionEndpoint:
    """Asks the endpoint what pictures show."""

    def __init__(self, client: SageMakerRuntimeClient, endpoint_name: str) -> None:
        self._client = client
        self._endpoint_name = endpoint_name

    def analyse(self, jpegs: Sequence[bytes]) -> AnalyseResponse:
        """One call for up to 32 JPEGs; analyses come back in their order, refusals in place of those that the
        model cannot look at.

        Raises `ModelNotReady` while the endpoint has no instance or is loading or full, and
        `DependencyUnavailable` when it breaks off.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.invoke_endpoint(
                EndpointName=self._endpoint_name,
                ContentType=JPEGS,
                Accept="application/json",
                Body=pack(jpegs),
            )
            body = answer["Body"].read()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            # A server that is loading answers 503, a full one 429, which SageMaker passes on in a ModelError.
            asleep = code == "ValidationError" and "no capacity" in str(error)
            if code in _NOT_READY or {status, error.response.get("OriginalStatusCode")} & {429, 503} or asleep:
                raise ModelNotReady("The model is loading or fully occupied; try again.") from error
            if is_transient(error) or code == "ModelError":
                raise DependencyUnavailable("The model endpoint failed; try again.") from error
            raise
        except BotoCoreError as error:
            raise ModelNotReady("The model endpoint is not answering yet; try again.") from error
        return AnalyseResponse.model_validate_json(body)
