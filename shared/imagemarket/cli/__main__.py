"""`imagemarket` and `python -m imagemarket.cli`, which may be interrupted while the command line is still loaded."""

import sys


def main() -> None:
    """Runs the command line; interrupted with status 130."""
    try:
        from imagemarket.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
