"""An unchanged training script, run with somebody watching."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from descend.errors import UsageError
from descend.watching.capturing import Capturing
from descend.watching.observations import Observations
from descend.watching.warming import warm
from descend.watching.watcher import Watcher


class Enough(BaseException):
    """The script is not to go on: as many steps as were asked for were seen."""


def watched(
    script: Path,
    args: list[str],
    budget: float = 0.03,
    steps: int | None = None,
    capturing: Capturing | None = None,
) -> Observations:
    """Run a script as ``python script args`` would, and return what was seen.

    Args:
        script: the file.
        args: its own arguments.
        budget: the share of the training time that watching may take.
        steps: end it after so many steps; by default it runs to its end.
        capturing: keeps some of its steps, where they are to be played again.

    Raises:
        UsageError: where there is no such file.
    """
    if not script.is_file():
        raise UsageError("a Python file", str(script), "give the path of a training script")
    warm()
    watcher = Watcher(budget=budget)
    if steps is not None:
        watcher.withdraws = False  # each step is to be seen
        after = watcher.after_step

        def until(*given: object) -> None:
            after(*given)  # type: ignore[arg-type]
            if watcher.seen.steps >= steps:
                raise Enough

        watcher.after_step = until  # type: ignore[method-assign]
    argv, path = sys.argv[:], sys.path[:]
    sys.argv[:] = [str(script), *args]
    sys.path.insert(0, str(script.parent.resolve()))
    watcher.start()
    if capturing is not None:
        capturing.start(watcher.looking)
    ended = "finished"
    try:
        runpy.run_path(str(script), run_name="__main__")
    except Enough:
        ended = "enough"
    except SystemExit as leaving:
        ended = "finished" if not leaving.code else f"SystemExit({leaving.code})"
    except KeyboardInterrupt:
        ended = "KeyboardInterrupt"
    except Exception as error:
        ended = f"{type(error).__name__}: {error}"
    finally:
        if capturing is not None:
            capturing.stop()
        seen = watcher.stop()
        sys.argv[:], sys.path[:] = argv, path
    seen.ended = ended
    return seen
