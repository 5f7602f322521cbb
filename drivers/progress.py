"""How far a long run is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Reporter(Protocol):
    """What a run tells about itself."""

    def start(self, what: str) -> None:
        """A piece of work begins."""

    def part(self, what: str, done: int, of: int) -> None:
        """So many parts of the piece are finished; `what` is being done now."""

    def done(self) -> None:
        """It is finished."""


class Silent:
    """Says nothing: for notebooks and tests."""

    def start(self, what: str) -> None:
        """Nothing."""

    def part(self, what: str, done: int, of: int) -> None:
        """Nothing."""

    def done(self) -> None:
        """Nothing."""


SILENT = Silent()


class Parts:
    """The parts of one piece of work, counted as they are finished, from any thread."""

    def __init__(self, reporter: Reporter, of: int) -> None:
        self._reporter, self._of, self._done = reporter, of, 0
        self._what = ""
        self._lock = threading.Lock()

    def now(self, what: str) -> None:
        """What is being done."""
        with self._lock:
            self._what = what
            self._reporter.part(what, self._done, self._of)

    def so_far(self, detail: str) -> None:
        """How far the part at work is, in words."""
        with self._lock:
            self._reporter.part(f"{self._what}; {detail}", self._done, self._of)

    def finished(self, parts: int = 1) -> None:
        """So many parts are finished."""
        with self._lock:
            self._done = min(self._done + parts, self._of)
            self._reporter.part(self._what, self._done, self._of)


NO_PARTS = Parts(SILENT, 0)
"""For work that nobody waits for."""


class _Bar:
    """A bar for the whole run, and one below it for the parts of the piece at work."""

    def __init__(self, bar: Progress, total: int) -> None:
        self._bar, self._task = bar, bar.add_task("", total=total)
        self._parts = bar.add_task("", total=1, visible=False)

    def start(self, what: str) -> None:
        self._bar.update(self._task, description=what)

    def part(self, what: str, done: int, of: int) -> None:
        self._bar.update(self._parts, description=f"  {what}", completed=done, total=of, visible=True)

    def done(self) -> None:
        self._bar.update(self._parts, visible=False)
        self._bar.advance(self._task)


QUIET = 10.0
"""Seconds between two lines about the parts of one piece."""


class _Lines:
    def __init__(self, total: int) -> None:
        self._total, self._count, self._said = total, 0, 0.0

    def start(self, what: str) -> None:
        self._count += 1
        self._said = time.monotonic()
        print(f"[{self._count}/{self._total}] {what}", file=sys.stderr, flush=True)

    def part(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self._said >= QUIET:
            self._said = now
            print(f"[{self._count}/{self._total}]   {what} ({done}/{of})", file=sys.stderr, flush=True)

    def done(self) -> None:
        """The next line says it."""


@contextmanager
def reporting(total: int) -> Iterator[Reporter]:
    """A reporter on standard error for `total` pieces of work."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar, total)
