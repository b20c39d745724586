"""Lambda-backed CloudFormation custom resources that answer for themselves."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from imagemarket.platform.telemetry import logger

Event = dict[str, Any]


def custom_resource(apply: Callable[[Event], dict[str, str]]) -> Callable[[Event, Any], None]:
    """A handler that runs `apply(properties)` on Create and Update and nothing on Delete.

    Its answer becomes the resource's attributes. Whatever happens, CloudFormation is told: a
    resource that stays silent holds a deployment for an hour.
    """

    def handler(event: Event, context: Any) -> None:
        answer: Event = {
            "Status": "SUCCESS",
            "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
            "StackId": event["StackId"],
            "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
        }
        try:
            if event["RequestType"] != "Delete":
                answer["Data"] = apply(event.get("ResourceProperties") or {})
        except Exception as error:  # noqa: BLE001 - any failure must be answered
            logger.exception("custom resource failed")
            answer |= {
                "Status": "FAILED",
                "Reason": f"{type(error).__name__}; see log stream {context.log_stream_name}",
            }
        _send(event["ResponseURL"], answer)

    return handler


def _send(url: str, answer: Event) -> None:
    request = urllib.request.Request(  # noqa: S310 - a presigned URL of CloudFormation
        url, data=json.dumps(answer).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass
