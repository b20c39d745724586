"""The AWS of one machine: MiniStack, with its state and its objects under the state folder."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psutil

from local.emulator_memory import MOST_PROCESSES
from local.layout import LOOPBACK, REPOSITORY, Layout, make_private
from local.processes import Part, command_line, descendants, end_processes

REGION = "us-east-1"
ACCOUNT = "000000000000"
_IDLE_FUNCTION_S = 180
"""Beside the first one of each function, which stays, a process that had nothing to do for so long is ended."""


def endpoint_of(layout: Layout) -> str:
    return f"http://{LOOPBACK}:{layout.ports()['aws']}"


def aws_environment(layout: Layout) -> dict[str, str]:
    """With these variables boto3, the `aws` command and the CDK reach the local cloud and no other."""
    return {
        "AWS_ENDPOINT_URL": endpoint_of(layout),
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": f"http://{LOOPBACK}:{layout.ports()['models']}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def aws_client(layout: Layout, service: str) -> Any:
    """A boto3 client of the local cloud, whatever the environment says."""
    import boto3

    return boto3.client(  # pyright: ignore[reportCallIssue] - the stubs want a literal
        service,  # pyright: ignore[reportArgumentType]
        endpoint_url=endpoint_of(layout),
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        region_name=REGION,
    )


def answers(url: str) -> bool:
    """Whether a GET of the URL is answered with 200 within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310 - a loopback address of ours
            return response.status == 200
    except (OSError, ValueError):
        return False


def emulator_part(layout: Layout) -> Part:
    port = layout.ports()["aws"]
    data = _data(layout)
    scratch = layout.run / "tmp"
    make_private(data)
    make_private(scratch)
    return Part(
        name="aws",
        title="AWS emulator (MiniStack)",
        port=port,
        command=[str(layout.python), "-m", "local.durable_emulator"],
        environment={
            # functions inherit these from the emulator's process
            **aws_environment(layout),
            "GATEWAY_PORT": str(port),
            "BIND_HOST": LOOPBACK,
            "MINISTACK_HOST": LOOPBACK,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(_services(layout)),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(data / "objects"),
            "LAMBDA_ACCOUNT_CONCURRENCY": str(MOST_PROCESSES),  # without it a burst starts one for every call
            "LAMBDA_WARM_TTL_SECONDS": str(_IDLE_FUNCTION_S),
            "TMPDIR": str(scratch),
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}",
        },
        sources=[REPOSITORY / "local" / "durable_emulator.py", REPOSITORY / "local" / "emulator_memory.py"],
        ready=lambda: answers(f"http://{LOOPBACK}:{port}/_ministack/health"),
        patience_s=60,
        stop_patience_s=30,
    )


def _data(layout: Layout) -> Path:
    return layout.data / "aws"


def _services(layout: Layout) -> Path:
    return _data(layout) / "services"


def keeps_stacks(layout: Layout, names: Collection[str]) -> bool:
    """Whether what the emulator has written down by now names these stacks, so that a kill would not lose them."""
    try:
        kept = (_services(layout) / "cloudformation.json").read_text()
    except OSError:
        return False
    return all(name in kept for name in names)


def forget_unfinished(layout: Layout) -> None:
    """Begin afresh where the emulator, which is down, was killed before a first deployment was through: objects
    outlive that, the stacks that they belong to do not, and neither can be made again beside the other."""
    if not layout.outputs_file.exists():
        shutil.rmtree(_data(layout), ignore_errors=True)


def renew_functions(emulator: psutil.Process) -> int:
    """End the function processes, so that the next calls get fresh ones: those there know a part that was down, and
    would leave it alone for as long as their breakers say. How many there were."""
    functions = [
        process for process in descendants(emulator) if any("awslambdaric" in word for word in command_line(process))
    ]
    end_processes(functions, patience_s=3)
    return len(functions)


def clear_scratch(layout: Layout) -> None:
    """Function workers leave their folders behind; while the emulator is down nobody needs them."""
    shutil.rmtree(layout.run / "tmp", ignore_errors=True)
