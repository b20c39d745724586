"""Deploys the `local` stage of the CDK app into the emulator, and only when something of it changed."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from local.emulator import ACCOUNT, REGION, aws_client, aws_environment, endpoint_of, keeps_stacks
from local.layout import LOOPBACK, REPOSITORY, Layout, LocalError, digest_of, make_private, write_private
from local.opensearch import url_of as opensearch_url
from local.postgres import USER
from local.processes import MARK, mark_of, without_aws
from local.progress import Say
from local.tooling import end_whole, home_for_tools, node_environment, uninterrupted
from local.valkey import url_of

DATABASE = "imagemarket"
_OWNER_SECRET = "imagemarket-local-database-owner"  # noqa: S105 - its name
_SOURCES = ("cdk", "functions", "shared/imagemarket", "state_machines", "requirements/up.txt", "package-lock.json")
_BEFORE_GROUPS = "imagemarket-local-application"
"""The one stack in which everything was that is deployed anew at any time, before each group got a stack of its own."""
_GONE_WITHIN_S = 300
_KEPT_WITHIN_S = 60
_COUNT = re.compile(r"^imagemarket-local-(\w+)\s*\|\s*(\d+)/(\d+)\s*\|")


def database_address(layout: Layout) -> str:
    return f"{LOOPBACK}:{layout.ports()['postgres']}/{DATABASE}"


def _keep_owner_login(layout: Layout) -> None:
    """Give the emulator the login that migrations connect with, which the templates only name."""
    client = aws_client(layout, "secretsmanager")
    login = json.dumps({"username": USER, "password": layout.secret("postgres")})
    try:
        if client.get_secret_value(SecretId=_OWNER_SECRET)["SecretString"] != login:
            client.put_secret_value(SecretId=_OWNER_SECRET, SecretString=login)
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=_OWNER_SECRET, SecretString=login)


def stage_environment(layout: Layout) -> dict[str, str]:
    """What `cdk/stages/local.py` reads for the local stage: where the engines are that the emulator does not have."""
    ports = layout.ports()
    search = {"MARKET_OPENSEARCH_URL": opensearch_url(ports["opensearch"])} if layout.uses_opensearch else {}
    return search | {
        "MARKET_PYTHON": str(layout.python),
        "MARKET_PORT": str(layout.port),
        "MARKET_DATABASE_ADDRESS": database_address(layout),
        "MARKET_DATABASE_OWNER_SECRET_ARN": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{_OWNER_SECRET}",
        "MARKET_VALKEY_URL": url_of(ports["valkey"]),
        "MARKET_COUNTERS_URL": url_of(ports["counters"]),
        "MARKET_MODEL_BUNDLE": str(layout.model_bundle),
        "MARKET_MAIL": f"file:{layout.state / 'mail'}",
        "MARKET_AWS_ENDPOINT": endpoint_of(layout),
    }


def _wanted(layout: Layout) -> str:
    stage = json.dumps(stage_environment(layout), sort_keys=True)
    return digest_of(REPOSITORY / source for source in _SOURCES) + hashlib.sha256(stage.encode()).hexdigest()[:16]


def _stacks(layout: Layout) -> set[str]:
    client = aws_client(layout, "cloudformation")
    return {
        stack["StackName"]
        for page in client.get_paginator("describe_stacks").paginate()
        for stack in page["Stacks"]
        if stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    }


def is_deployed(layout: Layout) -> bool:
    """Whether what stands in the emulator is what the clone would deploy."""
    stamp = layout.data / "deployed.json"
    try:
        known = json.loads(stamp.read_text())
    except (OSError, ValueError):
        return False
    return known["digest"] == _wanted(layout) and set(known["stacks"]) <= _stacks(layout) and bool(layout.outputs())


def deploy_command(layout: Layout, outputs: Path) -> list[str]:
    """The CDK's command line that deploys every stack and writes their outputs to a file."""
    # fmt: off
    return [
        str(layout.node_modules / ".bin" / "cdk"),
        "deploy", "--all", "--require-approval", "never", "--ci", "--progress", "events", "--concurrency", "2",
        "--app", f"{shlex.quote(str(layout.python))} -m cdk.app",  # a shell's words: the clone's path may hold spaces
        "--output", str(layout.state / "cdk.out"), "--outputs-file", str(outputs),
    ]
    # fmt: on


def deploy(layout: Layout, say: Say) -> None:
    """Bootstrap where it is missing, then deploy every stack.

    Raises:
        LocalError: The CDK failed; the message holds the end of its log.
    """
    stamp = layout.data / "deployed.json"
    stamp.unlink(missing_ok=True)
    environment = (
        without_aws(node_environment(layout))
        | aws_environment(layout)
        | stage_environment(layout)
        | {
            MARK: mark_of(layout),  # outliving a killed ./market, it is ended by the next
            "HOME": home_for_tools(layout),
            "CDK_DEFAULT_ACCOUNT": ACCOUNT,
            "CDK_DEFAULT_REGION": REGION,
            "CDK_DISABLE_LEGACY_EXPORT_WARNING": "1",
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}",
        }
    )
    wanted = _wanted(layout)
    cdk = str(layout.node_modules / ".bin" / "cdk")
    if "CDKToolkit" not in _stacks(layout):
        say("bootstrap")
        outside = layout.run / "bootstrap"
        make_private(outside)
        _cdk([cdk, "bootstrap", f"aws://{ACCOUNT}/{REGION}"], layout, outside, environment, say)
    _keep_owner_login(layout)
    _remove_stack_of_before(layout, say)
    say("synthesis")
    draft = layout.run / "outputs.json"
    draft.unlink(missing_ok=True)
    _cdk(deploy_command(layout, draft), layout, REPOSITORY, environment, say)
    _bound_functions(layout)
    stacks = list(_templates(layout))
    _wait_until_kept(layout, ["CDKToolkit", *stacks])
    write_private(layout.outputs_file, draft.read_text())
    write_private(stamp, json.dumps({"digest": wanted, "stacks": stacks}))


def _remove_stack_of_before(layout: Layout, say: Say) -> None:
    """Remove the stack that holds what the groups' stacks would make beside it under the same names. What outlives a
    deployment is in another one; an image that is in work meanwhile is taken up by the sweeper.

    Raises:
        LocalError: It does not go.
    """
    from botocore.exceptions import ClientError, WaiterError

    client = aws_client(layout, "cloudformation")
    try:
        client.describe_stacks(StackName=_BEFORE_GROUPS)
    except ClientError:
        return
    say("a stack of before goes")
    try:
        client.delete_stack(StackName=_BEFORE_GROUPS)
        waiter = client.get_waiter("stack_delete_complete")
        waiter.wait(StackName=_BEFORE_GROUPS, WaiterConfig={"Delay": 1, "MaxAttempts": _GONE_WITHIN_S})
    except (ClientError, WaiterError) as error:
        raise LocalError(f"the stack {_BEFORE_GROUPS} of an older clone does not go: {error}") from error


def _templates(layout: Layout) -> dict[str, Path]:
    """The template of each stack that was synthesised last, by its name."""
    folder = layout.state / "cdk.out"
    artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"]
    return {
        name: folder / artifact["properties"]["templateFile"]
        for name, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack"
    }


def _wait_until_kept(layout: Layout, stacks: list[str]) -> None:
    """What is said to be deployed must outlive a kill of the emulator."""
    deadline = time.monotonic() + _KEPT_WITHIN_S
    while not keeps_stacks(layout, stacks):
        if time.monotonic() > deadline:
            raise LocalError(f"the emulator did not write its stacks down within {_KEPT_WITHIN_S} s: ./market logs aws")
        time.sleep(0.2)


def _bound_functions(layout: Layout) -> None:
    """Reserve the concurrency that the templates ask for, which the emulator's CloudFormation passes over."""
    client = aws_client(layout, "lambda")
    for template in _templates(layout).values():
        for resource in json.loads(template.read_text())["Resources"].values():
            wanted = resource.get("Properties", {}).get("ReservedConcurrentExecutions")
            if resource["Type"] == "AWS::Lambda::Function" and wanted is not None:
                client.put_function_concurrency(
                    FunctionName=resource["Properties"]["FunctionName"], ReservedConcurrentExecutions=wanted
                )


@contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    """An empty folder, which is gone afterwards, also what a killed run had left there."""
    shutil.rmtree(folder, ignore_errors=True)
    make_private(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cdk(command: list[str], layout: Layout, folder: Path, environment: dict[str, str], say: Say) -> None:
    log = layout.logs / "deploy.log"
    make_private(log.parent)
    drafts = (
        layout.run / "cdk"
    )  # what jsii unpacks lies there: interrupted, it would leave it in the machine's own folder
    with log.open("ab") as out, _emptied(drafts), ExitStack() as starting:
        starting.enter_context(uninterrupted())
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environment | {"NO_COLOR": "1", "TMPDIR": str(drafts)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            umask=0o077,
        ) as process:
            words: list[str] = []

            def follow() -> None:
                for line in process.stdout or ():
                    out.write(line)
                    text = line.decode(errors="replace").rstrip()
                    words.append(text)
                    if found := _COUNT.search(text):
                        say(f"{found[1]}, {found[2]} of {found[3]} resources")

            reader = threading.Thread(target=follow)
            reader.start()
            try:
                starting.close()  # what is told to this process from here on, or was meanwhile, ends that one too
                status = process.wait()
            except BaseException:
                end_whole(process)
                raise
            finally:
                reader.join(timeout=10)
    if status != 0:
        tail = "\n".join(words[-40:])
        raise LocalError(f"{' '.join(command[:2])} failed (status {status}); the end of {log}:\n{tail}")
