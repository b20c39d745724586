"""`python -m imagemarket.cli`."""

from imagemarket.cli.app import main

if __name__ == "__main__":
    main()
