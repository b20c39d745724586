"""Tells a waiting person what is going on: a moving line on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console

console = Console(highlight=False, soft_wrap=True)
errors = Console(highlight=False, soft_wrap=True, stderr=True)
"""For what a command could not do: whoever evaluates or keeps its answer gets none."""


class Say(Protocol):
    """Told how far a step has come."""

    def __call__(self, text: str) -> None: ...


@contextmanager
def step(title: str) -> Iterator[Say]:
    """Show a step while it runs, and what it took or that it failed when it is over."""
    began = time.monotonic()
    last = title
    with console.status(f"{title} …") as live:
        if not console.is_terminal:
            console.print(f"· {title} …")

        def say(text: str) -> None:
            nonlocal last
            last = f"{title}: {text}"
            live.update(f"{last} ({time.monotonic() - began:.0f} s)")

        try:
            yield say
        except BaseException:
            console.print(f"[red]✗[/red] {last} ({time.monotonic() - began:.1f} s)")
            raise
    console.print(f"[green]✓[/green] {last} [dim]({time.monotonic() - began:.1f} s)[/dim]")
