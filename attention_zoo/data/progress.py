"""A progress bar that shows itself only when something takes long."""

import time

SHOW_AFTER_SECONDS = 2.0


class LateBar:
    """Show progress on standard error once the work has taken more than two seconds.

    Use as a context manager; what ends sooner prints nothing. Where standard error is no
    terminal, one line takes the place of the bar.

    Args:
        label: what is being done ("clinc150: downloading").
        total: bytes or steps in all; None where nobody knows.
        quiet: True never shows anything.
        unit: "bytes" shows sizes and speed, anything else shows counts.
    """

    def __init__(self, label: str, total: int | None, *, quiet: bool = False, unit: str = "bytes"):
        self.label, self.total, self.quiet, self.unit = label, total, quiet, unit
        self._began = time.monotonic()
        self._is_shown = False
        self._bar = None
        self._task = None

    def __enter__(self) -> "LateBar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def reach(self, done: int) -> None:
        """Say how much of `total` is done."""
        if not self._is_shown:
            if self.quiet or time.monotonic() - self._began < SHOW_AFTER_SECONDS:
                return
            self._show()
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._is_shown = True
        console = Console(stderr=True)
        if not console.is_terminal:
            console.print(f"{self.label} ...", markup=False, highlight=False)
            return
        amount = DownloadColumn() if self.unit == "bytes" else MofNCompleteColumn()
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), amount, TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._bar.start()
        self._task = self._bar.add_task(self.label, total=self.total)
