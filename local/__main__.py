"""`./market`, which may be interrupted while its commands are still loaded."""

import sys


def main() -> int:
    """Runs the command that was asked for; its status, 130 where it was interrupted."""
    try:
        from local.commands import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
