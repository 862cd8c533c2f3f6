"""What the commands print while they work: one line a step, with a live bar where there is a terminal.

Everything goes to standard error but what a command was asked for, so that `$(make -s kubeconfig)`
and `status --json` can be piped.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

REPORT_EVERY = 15.0
"""Seconds between the lines that show a long step is alive where there is no terminal."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Failure(Exception):
    """Something the user can act on; the text says what, and the way out. Shown without a traceback."""


def say(text: str) -> None:
    err.print(text, markup=False)


def duration(seconds: float) -> str:
    """Seconds as a person writes them: 3.2 s, 48 s, 2 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s"


class _Elapsed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(duration(task.elapsed or 0), style="dim")


class Step:
    """A piece of work under way; `update` tells how far it is."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self.started = time.monotonic()
        self.outcome = ""
        """What the closing line says; empty for "done"."""

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def update(self, detail: str, fraction: float | None = None) -> None:
        """`detail` is what is being done right now; `fraction` of the whole is done, if that is known."""
        self.detail = detail


class _LiveStep(Step):
    def __init__(self, title: str, progress: Progress) -> None:
        super().__init__(title)
        self._progress = progress
        self._task = progress.add_task(title, total=None, detail="")

    def update(self, detail: str, fraction: float | None = None) -> None:
        super().update(detail, fraction)
        self._progress.update(self._task, detail=detail)
        if fraction is not None:
            self._progress.update(self._task, total=1.0, completed=fraction)


@contextlib.contextmanager
def step(title: str, quiet: type[Exception] | tuple[()] = ()) -> Iterator[Step]:
    """Show `title` while the block runs, and how long it took (or that it failed) when it ends.

    An exception of type `quiet` is no failure but a way that led nowhere: nothing is said of it.
    """
    with _live(title) if err.is_terminal else _in_lines(title) as current:
        try:
            yield current
        except quiet:
            raise
        except BaseException:
            say(f"  ✗ {title} ({duration(current.elapsed)})")
            raise
    say(f"  ✓ {title}: {current.outcome or 'done'} ({duration(current.elapsed)})")


@contextlib.contextmanager
def _live(title: str) -> Iterator[Step]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("[dim]{task.fields[detail]}"),
        _Elapsed(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        yield _LiveStep(title, progress)


@contextlib.contextmanager
def _in_lines(title: str) -> Iterator[Step]:
    current = Step(title)
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(REPORT_EVERY):
            say(f"    {title}: {current.detail or 'under way'} ({duration(current.elapsed)})")

    ticker = threading.Thread(target=report, daemon=True)
    ticker.start()
    try:
        yield current
    finally:
        ended.set()
        ticker.join()
