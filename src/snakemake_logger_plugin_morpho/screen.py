"""Lines that stay, and on a terminal a bar below them that is drawn again and again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread
from typing import TextIO

REFRESH_S = 1.0
CLEAR_LINE = "\r\x1b[K"
RED, RESET = "\x1b[31m", "\x1b[0m"
FALLBACK_WIDTH = 80


class Screen:
    """A stream with lines and, if it is a terminal, a bar on the last line.

    Into a pipe or a file go plain lines alone. The cursor waits at the start of the bar, so that whatever another
    process writes goes over the bar and not behind it.

    Parameters
    ----------
    stream
        Where everything is written.
    draw
        Gives the bar's text for a terminal of that many columns; "" for no bar.
    colour
        Whether colours are allowed where they are possible.
    """

    def __init__(self, stream: TextIO, draw: Callable[[int], str], *, colour: bool) -> None:
        self.stream = stream
        self.draw = draw
        self.is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = colour and self.is_terminal
        self._lock = RLock()
        self._stop = Event()
        self._has_bar = False
        self._ticker: Thread | None = None

    def start_bar(self) -> None:
        """Show the bar from now on, and draw it again every second."""
        if self.is_terminal and self._ticker is None:
            self._ticker = Thread(target=self._tick, name="morpho-progress-bar", daemon=True)
            self._ticker.start()

    def write_lines(self, text: str, *, alarm: bool = False) -> None:
        """Write lines above the bar; `alarm`: in red, where colours are possible."""
        with self.without_bar():
            self.stream.write(f"{RED}{text}{RESET}\n" if alarm and self.colour else f"{text}\n")

    @contextmanager
    def without_bar(self) -> Iterator[None]:
        """Take the bar away while somebody writes to the stream; nobody else can write meanwhile."""
        with self._lock:
            self._clear()
            try:
                yield
            finally:
                self._show()
                self.stream.flush()

    def close(self) -> None:
        """Take the bar away for good."""
        self._stop.set()
        if self._ticker is not None:
            self._ticker.join(timeout=REFRESH_S)
        with self._lock:
            self._clear()
            self._ticker = None
            self.stream.flush()

    def _tick(self) -> None:
        """Draw the bar again and again, until the end."""
        while not self._stop.wait(REFRESH_S):
            with self.without_bar():
                pass

    def _clear(self) -> None:
        if self._has_bar:
            self.stream.write(CLEAR_LINE)
            self._has_bar = False

    def _show(self) -> None:
        if self._ticker is None or self._stop.is_set():
            return
        text = self.draw(self._width())
        if text:
            self.stream.write(f"{text}\r")
            self._has_bar = True

    def _width(self) -> int:
        """Columns of the terminal."""
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or FALLBACK_WIDTH
        except OSError:
            return FALLBACK_WIDTH
