"""The AWS emulator as a process that keeps what it knows on disk while it runs.

By itself it writes that down only when it is asked to stop, so a kill would lose every stack.

python -m local.durable_emulator
"""

from __future__ import annotations

import logging
import os
import threading
import time

from local.layout import LOOPBACK

_EVERY_S = 2.0
_REST_PER_WORK = 20
"""At most a twentieth of one core goes into saving."""


def _keep_saving() -> None:
    from local.emulator import answers

    health = f"http://{LOOPBACK}:{os.environ['GATEWAY_PORT']}/_ministack/health"
    while not answers(health):  # what was kept must be read before anything is written over it
        time.sleep(0.1)
    from ministack import app
    from ministack.core.persistence import save_all

    while True:
        began = time.monotonic()
        save_all(app._build_persistence_save_dict())  # noqa: SLF001 - what its own shutdown saves
        time.sleep(max(_EVERY_S, _REST_PER_WORK * (time.monotonic() - began)))


def main() -> None:
    from ministack import app

    logging.getLogger("persistence").setLevel(logging.WARNING)  # a line for each service and save says nothing
    threading.Thread(target=_keep_saving, daemon=True, name="saving").start()
    app.main()


if __name__ == "__main__":
    main()
