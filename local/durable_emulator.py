"""The AWS emulator as a process that keeps what it knows on disk while it runs, and in memory only what is needed.

By itself it writes that down only when it is asked to stop, so a kill would lose every stack. And its S3 leaves out of
events to EventBridge which version they tell of, as AWS's says: of several forms posted at once, each event would be
taken for one of the version that is current. And its gateway puts a sign of its own in the place of every letter of a
body that is no UTF-8.

python -m local.durable_emulator
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from local.emulator_memory import let_go
from local.layout import LOOPBACK

_EVERY_S = 2.0
_REST_PER_WORK = 20
"""At most a twentieth of one core goes into saving."""


def _keep_saving() -> None:
    from local.emulator import answers

    folder = Path(os.environ["STATE_DIR"]).parent
    folder.mkdir(parents=True, exist_ok=True)  # an emulator that begins afresh has none
    home = _identity(folder)
    health = f"http://{LOOPBACK}:{os.environ['GATEWAY_PORT']}/_ministack/health"
    while not answers(health):  # what was kept must be read before anything is written over it
        time.sleep(0.1)
    from ministack import app
    from ministack.core.persistence import save_all

    while True:
        began = time.monotonic()
        try:
            let_go()
        except Exception:  # it is another's; what is kept on disk is worth more
            logging.getLogger("memory").exception("what is not needed any more stays in memory")
        for service, state in app._build_persistence_save_dict().items():  # noqa: SLF001 - what its own shutdown saves
            if _identity(folder) != home:
                # The clone was moved or removed, and each save makes the folder again where there is none.
                logging.getLogger("saving").error("the folder that this emulator keeps its state in is gone; it ends")
                os._exit(1)
            save_all({service: state})
        time.sleep(max(_EVERY_S, _REST_PER_WORK * (time.monotonic() - began)))


def _identity(folder: Path) -> tuple[int, int] | None:
    """Tells a folder from another one at the same path."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


_version: ContextVar[str | None] = ContextVar("version", default=None)
"""Of the object that an event is being made of."""


def name_versions_in_events() -> None:
    """Has the emulator's S3 name the version in what it tells EventBridge: the emulator hands it as far as the place
    where the event is made. It has no hook there and no setting for it, its newest version (1.5.33) included, so two of
    its own functions are replaced; a test fails where another version has others."""
    from ministack.services import eventbridge, s3

    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event  # noqa: SLF001 - there is no other place for it

    def fire_of_a_version(*arguments: Any, version_id: str | None = None, **more: Any) -> None:
        _version.set(version_id)  # in a context of its own: each event has a thread
        fire(*arguments, version_id=version_id, **more)

    def dispatch_with_version(event: dict[str, Any], *arguments: Any) -> Any:
        version = _version.get()
        if version is not None and event.get("Source") == "aws.s3":
            detail = json.loads(event["Detail"])
            detail["object"].setdefault("version-id", version)
            event = {**event, "Detail": json.dumps(detail)}
        return dispatch(event, *arguments)

    s3._fire_s3_event, eventbridge._dispatch_event = fire_of_a_version, dispatch_with_version  # noqa: SLF001


_as_it_is: ContextVar[bool] = ContextVar("as_it_is", default=False)
"""Whether the body of the request that is being passed on goes as base64, whatever its type."""


def pass_on_what_is_no_utf8() -> None:
    """Has the emulator's gateway hand a body that is no UTF-8 to the function as base64, byte for byte, so that it is
    refused and not stored with its letters gone. Two of its functions are replaced, for want of a setting."""
    from ministack.services import apigateway

    invoke, is_text = apigateway._invoke_lambda_proxy, apigateway._v2_request_body_is_text  # noqa: SLF001 - as above

    async def invoke_with_bytes(*arguments: Any, **more: Any) -> Any:
        body = inspect.signature(invoke).bind(*arguments, **more).arguments["body"]
        told = _as_it_is.set(not is_utf8(body or b""))
        try:
            return await invoke(*arguments, **more)
        finally:
            _as_it_is.reset(told)

    def is_text_that_is_read(content_type: str | None) -> bool:
        return not _as_it_is.get() and is_text(content_type)

    apigateway._invoke_lambda_proxy = invoke_with_bytes  # noqa: SLF001
    apigateway._v2_request_body_is_text = is_text_that_is_read  # noqa: SLF001


def is_utf8(body: bytes) -> bool:
    """Whether the bytes are text that a function is given as such."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def main() -> None:
    from ministack import app

    logging.getLogger("persistence").setLevel(logging.WARNING)  # a line for each service and save says nothing
    name_versions_in_events()
    pass_on_what_is_no_utf8()
    threading.Thread(target=_keep_saving, daemon=True, name="saving").start()
    app.main()


if __name__ == "__main__":
    main()
