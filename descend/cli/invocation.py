"""One call of the command line: its words, and the moment it began."""

import os
import shlex
import time
from dataclasses import dataclass
from pathlib import Path


def process_age() -> float:
    """Return for how many seconds this process has been alive, or 0 where the system does not say.

    Linux counts a process's start in clock ticks since boot, in field 22 of ``/proc/self/stat``. The
    second field is the program's name in brackets, and may itself hold spaces and brackets.
    """
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
    # Within a time namespace the two clocks may disagree; then the age is nonsense.
    return age if 0 <= age < 60 else 0.0


@dataclass(frozen=True)
class Invocation:
    """One call of the command line.

    Attributes:
        arguments: the words after ``descend``.
        began: when the process (or, called from Python, the call) began, on the monotonic clock.
    """

    arguments: list[str]
    began: float

    @classmethod
    def now(cls, arguments: list[str], of_process: bool) -> "Invocation":
        """Note a call; ``of_process`` counts the time since the process started."""
        return cls(arguments, time.monotonic() - (process_age() if of_process else 0.0))

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    @property
    def command(self) -> str:
        """The command as a person would type it again."""
        return shlex.join(["descend", *self.arguments])

    @property
    def wants_json(self) -> bool:
        """Whether ``--json`` is among the words, even where the others cannot be understood."""
        words = self.arguments
        return "--json" in (words[: words.index("--")] if "--" in words else words)

    def resume_command(self, out: Path) -> str:
        """Return this command with what makes it go on with the run in ``out``."""
        words = list(self.arguments)
        if not any(word == "--out" or word.startswith("--out=") for word in words):
            words += ["--out", str(out)]
        if "--resume" not in words:
            words += ["--resume"]
        return shlex.join(["descend", *words])
