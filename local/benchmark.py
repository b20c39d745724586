"""One benchmark of `./market bench`, which may be interrupted: it ends without a traceback, its workers too.

python -m local.benchmark NAME [what the benchmark takes]
"""

from __future__ import annotations

import os
import runpy
import signal
import sys


def main() -> int:
    """Runs the benchmark, which leaves with its own status; 130 where it was interrupted."""
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        runpy.run_module(f"benchmarks.{sys.argv.pop(1)}", run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
