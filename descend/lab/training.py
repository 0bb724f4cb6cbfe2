"""Starting a fit from the page, stopping it, and going on with it: each a process of its own."""

import contextlib
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from descend.errors import RunError, UsageError

FLAGS = {
    "target": "--target",
    "method": "--method",
    "lr": "--lr",
    "steps": "--steps",
    "seconds": "--seconds",
    "until_loss": "--until-loss",
    "seed": "--seed",
    "batch_size": "--batch-size",
}
"""What the page may say of a fit, and the flag that says it."""
MOST = 4
"""Fits at once."""


class Fits:
    """The fits that this lab has started.

    Args:
        folder: the runs' folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._going: dict[str, subprocess.Popen[str]] = {}
        self._said: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self, subject: str, options: dict[str, Any]) -> str:
        """Start ``descend fit`` on a target.

        Args:
            subject: what the command takes: a name, a file or a folder.
            options: by the names in :data:`FLAGS`.

        Returns:
            The name of the run that it makes.

        Raises:
            UsageError: where an option is unknown, or too many fits are going on.
        """
        subject = str(subject).strip()
        if not subject or subject.startswith("-"):
            raise UsageError("what to fit: a name, a file or a folder", repr(subject), "such as digits")
        words = [subject]
        for name, value in options.items():
            if name not in FLAGS:
                raise UsageError(f"one of {', '.join(FLAGS)}", repr(name), "leave it out")
            if value not in (None, ""):
                words += [f"{FLAGS[name]}={value}"]
        name = self._free(Path(subject.partition(":")[0]).stem or "run")
        self._begin(name, words)
        return name

    def resume(self, name: str, command: str) -> None:
        """Go on with a run that was stopped.

        Args:
            name: of the run.
            command: the command that it was started with.

        Raises:
            UsageError: where it was not started with ``descend fit``, or is going on.
        """
        try:
            words = shlex.split(command or "")
        except ValueError:
            words = []
        if words[:2] != ["descend", "fit"]:
            raise UsageError(
                "a run that `descend fit` started", repr(command), "go on with it where it was started"
            )
        kept, skip = [], False
        for word in words[2:]:
            if skip or word == "--resume" or word.startswith("--out="):
                skip = False
                continue
            if word == "--out":
                skip = True
                continue
            kept.append(word)
        self._begin(name, [*kept, "--resume"])

    def _begin(self, name: str, words: list[str]) -> None:
        with self._lock:
            self._reap()
            if name in self._going:
                raise UsageError("a run that has stopped", "one that is going on", "wait, or stop it")
            if len(self._going) >= MOST:
                raise UsageError(f"at most {MOST} fits at once", "one more", "wait until one has ended")
            command = [sys.executable, "-m", "descend", "fit", *words, "--out", str(self.folder / name), "-q"]
            try:
                self._going[name] = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,  # Ctrl-C in the lab's terminal is the lab's
                )
            except OSError as error:
                raise RunError("a process for the fit", str(error), "try again") from None

    def stop(self, name: str) -> None:
        """Stop a fit after its step; its state is saved.

        Raises:
            UsageError: where this lab has not started it, or it has ended.
        """
        with self._lock:
            self._reap()
            if name not in self._going:
                raise UsageError(
                    "a run that this lab started and that goes on", repr(name), "stop it where it was started"
                )
            self._going[name].send_signal(signal.SIGINT)

    def state(self) -> dict[str, Any]:
        """Return which fits are going on, and what those said that failed."""
        with self._lock:
            self._reap()
            return {"going": sorted(self._going), "said": dict(self._said)}

    def close(self) -> None:
        """Stop all; they save their state."""
        with self._lock:
            for process in self._going.values():
                with contextlib.suppress(OSError):
                    process.send_signal(signal.SIGINT)
            for process in self._going.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
            self._going.clear()

    def _reap(self) -> None:
        for name, process in list(self._going.items()):
            if process.poll() is None:
                continue
            del self._going[name]
            said = (process.stderr.read() if process.stderr else "").strip().splitlines()
            if process.returncode not in (0, 130) and said:
                self._said[name] = said[-1][:500]

    def _free(self, stem: str) -> str:
        plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in stem).lstrip(".") or "run"
        name, number = plain, 2
        while (self.folder / name).exists() or name in self._going:
            name, number = f"{plain}-{number}", number + 1
        return name
