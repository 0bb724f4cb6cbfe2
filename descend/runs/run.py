"""What a descent leaves on disk: one folder, self-contained, readable without this program.

==========================  =====================================================================
``run.json``                what was run and how it ended (:mod:`descend.runs.facts`)
``record.db``               metrics and events by step, and findings, SQLite (:mod:`descend.descent.record`)
``parameters.safetensors``  the best parameters and buffers, by name
``trajectory.safetensors``  where it was on its way (:mod:`descend.descent.trajectory`)
``state.safetensors``       everything needed to go on (:mod:`descend.descent.state`)
``report.html``             the same for a person, in a browser
==========================  =====================================================================

Nothing is a pickle, and every file is replaced whole or not at all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend.descent.files import remove_unfinished
from descend.descent.outcome import Outcome
from descend.errors import DescendError, RunError, UsageError, nearest
from descend.runs.facts import plain, read_facts, write_facts
from descend.runs.lock import FolderLock

if TYPE_CHECKING:
    from torch import Tensor, nn

    from descend.diagnosing.finding import Finding
    from descend.functions.problem import Reader

FORMAT = 1
"""The layout of the folder and of ``run.json``; it grows when an older program could misread them."""

FACTS, RECORD, PARAMETERS = "run.json", "record.db", "parameters.safetensors"
STATE, REPORT, TRAJECTORY = "state.safetensors", "report.html", "trajectory.safetensors"

# What a run has not yet found out; a reader of run.json finds every key from the first moment on.
_UNKNOWN: dict[str, Any] = {
    "finished": None,
    "outcome": None,
    "method": None,
    "steps": None,
    "seconds": None,
    "loss": None,
    "validation_loss": None,
    "metrics": {},
    "parameters": [],
    "reader": None,
    "problem": None,
    "notes": [],
}


class Run:
    """One run's folder. Made by :func:`descend.fit`, or opened with :meth:`Run.open`.

    Attributes:
        folder: where it is.
        facts: what ``run.json`` says.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "mine"
        >>> run = Run.create(folder, {"name": "line"})
        >>> run.write(loss=0.5)
        >>> run.unlock()
        >>> Run.open(folder).loss
        0.5
    """

    def __init__(self, folder: Path, facts: dict[str, Any]):
        self.folder, self.facts = folder, facts
        self._parameters: dict[str, Tensor] | None = None
        self._model: nn.Module | None = None
        self._attached: nn.Module | None = None
        self._reader: Reader | None = None
        self._lock: FolderLock | None = None

    @classmethod
    def create(cls, folder: str | Path, facts: Mapping[str, Any]) -> "Run":
        """Make a folder with a run that has just begun, and lock it (see :meth:`lock`).

        Args:
            folder: it may exist, but not hold a run.
            facts: what is known at the start, at least ``name``.

        Raises:
            RunError: where it holds a run, another process writes there, or it cannot be written.
        """
        folder = Path(folder).expanduser()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise RunError(f"a folder at {folder}", "a file", "choose another folder") from None
        except OSError as error:
            raise _cannot_make(folder, error) from None
        run = cls(folder, {"format": FORMAT, **_UNKNOWN, **plain(facts)})
        run.lock()
        try:
            if (folder / FACTS).exists():
                raise RunError(
                    f"a folder without a run at {folder}",
                    "one that holds a run already",
                    "go on with it with --resume, or choose another folder",
                )
            for name in (RECORD, PARAMETERS, STATE, REPORT, TRAJECTORY):
                if (folder / name).exists():
                    raise RunError(
                        f"an empty folder at {folder}",
                        f"one with {name}, which a run would overwrite",
                        "choose another folder",
                    )
            run.write()
        except BaseException:
            run.unlock()
            raise
        return run

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Open a run that is on disk.

        Args:
            folder: the run's folder, or the ``run.json`` in it; ``~`` is the home folder.

        Raises:
            RunError: where there is no run, its ``run.json`` is damaged, or a newer descend made it.
        """
        folder = Path(folder).expanduser()
        if folder.name == FACTS:
            folder = folder.parent
        if not folder.is_dir():
            came = "a file" if folder.exists() else "no such folder"
            raise RunError(f"a run's folder at {folder}", came, _runs_near(folder.parent))
        if not (folder / FACTS).exists():
            raise RunError(f"a run's folder at {folder}", f"one without {FACTS}", _runs_near(folder))
        facts = read_facts(folder / FACTS)
        version = facts.get("format")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise _damaged(folder, f"{version!r} as its format")
        if version > FORMAT:
            raise RunError(
                f"a run of format {FORMAT} at {folder}",
                f"one made by a newer descend (format {version})",
                "upgrade: pip install -U descend",
            )
        missing = [key for key in ("name", *_UNKNOWN) if key not in facts]
        if missing:
            raise _damaged(folder, f"nothing for {', '.join(missing)}")
        run = cls(folder, facts)
        if run.finished:
            _ = run.outcome  # what is wrong with it is said now, not in the middle of something
        return run

    def lock(self) -> FolderLock:
        """Take the folder for writing: nobody else may write a run that is being written.

        Returns:
            The lock, which a ``with`` lets go of at its end. Without one it is held until
            :meth:`unlock`, or until the process ends in whatever way.

        Raises:
            RunError: where somebody else holds it, or the folder cannot be written.
        """
        if self._lock is None or not self._lock.held:
            self._lock = FolderLock(self.folder)
            for name in (FACTS, PARAMETERS, STATE, REPORT, TRAJECTORY):
                remove_unfinished(self.folder / name)
        return self._lock

    def unlock(self) -> None:
        """Let others write the run."""
        if self._lock is not None:
            self._lock.release()

    def write(self, **changes: Any) -> None:
        """Update ``run.json``, in one move.

        Args:
            changes: top-level keys with their new values: JSON values, paths, tensors, numbers.

        Raises:
            RunError: where it cannot be written; what was there stays.
        """
        facts = {**self.facts, **plain(changes)}
        write_facts(self.folder / FACTS, facts)
        self.facts = facts
        if "reader" in changes:
            self._reader = None

    def save_parameters(self, tensors: "Mapping[str, Tensor]") -> None:
        """Write the best parameters and buffers, in one move.

        Raises:
            RunError: where they cannot be written; what was there stays.
        """
        from descend.descent.state import save_tensors

        save_tensors(self.folder / PARAMETERS, dict(tensors), {"format": "pt"})
        self._parameters = self._model = None

    def attach(self, model: "nn.Module") -> None:
        """Give the run a live function, for a descent that was called from Python.

        Args:
            model: from now on :attr:`model`; the best parameters are loaded into it there.
        """
        self._attached, self._model = model, None

    @property
    def name(self) -> str:
        """The name of what was descended."""
        return self.facts["name"]

    @property
    def finished(self) -> bool:
        """Whether the descent has ended; a killed one has not."""
        return self.facts["finished"] is not None

    @property
    def outcome(self) -> Outcome:
        """How it ended.

        Raises:
            RunError: where it has not ended yet.
        """
        saved = self.facts["outcome"]
        if saved is None:
            raise RunError(
                f"a run that has ended at {self.folder}",
                "one that is going on or was killed",
                "wait, or go on with it with --resume",
            )
        try:
            return Outcome(saved["name"])
        except (KeyError, TypeError, ValueError):
            raise _damaged(self.folder, f"{saved!r} as its outcome") from None

    @property
    def loss(self) -> float:
        """The training loss at the best parameters; NaN where it is not known yet."""
        return _number(self.facts["loss"])

    @property
    def validation_loss(self) -> float:
        """The validation loss at the best parameters; NaN where there are no validation data."""
        return _number(self.facts["validation_loss"])

    @property
    def parameters(self) -> "dict[str, Tensor]":
        """The best parameters and buffers, by name.

        Raises:
            RunError: where the file is missing or damaged.
        """
        if self._parameters is None:
            from descend.descent.state import load_tensors

            self._parameters, _ = load_tensors(self.folder / PARAMETERS)
        return self._parameters

    @property
    def reader(self) -> "Reader | None":
        """What turns files into the function's inputs, where the run has one.

        Raises:
            RunError: where what is saved of it is damaged.
        """
        saved = self.facts["reader"]
        if self._reader is None and saved is not None:
            from descend.functions.readers import reader_from_json

            try:
                self._reader = reader_from_json(saved)
            except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
                raise _damaged(self.folder, f"a reader that cannot be rebuilt ({error!r})") from None
        return self._reader

    @property
    def model(self) -> "nn.Module":
        """The function with its best parameters, in eval mode, ready to call.

        Raises:
            RunError: where the function cannot be rebuilt, or its parameters are missing or damaged.
        """
        if self._model is None:
            parameters = self.parameters
            model = self._attached if self._attached is not None else self._rebuilt()
            try:
                model.load_state_dict(parameters)
            except RuntimeError as error:
                reason = " ".join(str(error).partition(":\n")[2].split()) or str(error)
                raise RunError(
                    f"the function that the parameters in {self.folder} belong to",
                    f"another one ({reason[:300]})",
                    "put back the code as it was, or train again",
                ) from None
            self._model = model.eval()
        return self._model

    def _rebuilt(self) -> "nn.Module":
        """Build the function anew, from the reader or from the file of code that the run names."""
        if self.reader is not None:
            try:
                return self.reader.model()
            except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
                raise _damaged(self.folder, f"a function that cannot be rebuilt ({error!r})") from None
        code = self.facts["problem"]
        if code is None:
            raise RunError(
                "a run whose function can be built anew",
                "one whose function was made in a Python program",
                "build the function, call run.attach(function), and then use run.model",
            )
        try:
            file, name = Path(code["file"]), str(code["name"])
        except (KeyError, TypeError):
            raise _damaged(self.folder, f"{code!r} as its problem") from None
        if not file.is_file():
            raise RunError(
                f"the file {file}, whose {name} this run descended",
                "no such file",
                "put it back; the parameters themselves are in parameters.safetensors",
            )
        from descend.applications.targets import problem_from_target

        return problem_from_target(f"{file}:{name}").fresh_function()

    def metrics(self, name: str) -> tuple[list[int], list[float]]:
        """Return the steps and the values of one series of the record.

        Args:
            name: as in :meth:`series`; ``loss``, ``loss/validation``, ``learning-rate``, ...

        Raises:
            UsageError: where other series are recorded but not this one.
            RunError: where the record is missing or damaged.
        """
        from descend.descent.record import read_series

        if self._not_recorded_yet():
            return [], []
        found = read_series(self.folder / RECORD, name)
        if not found[0] and (known := self.series()):
            raise UsageError("the name of a recorded series", repr(name), nearest(name, known))
        return found

    def series(self) -> list[str]:
        """Return the names of all recorded series, sorted.

        Raises:
            RunError: where the record is missing or damaged.
        """
        from descend.descent.record import series_names

        return [] if self._not_recorded_yet() else series_names(self.folder / RECORD)

    def _not_recorded_yet(self) -> bool:
        return self.facts["outcome"] is None and not (self.folder / RECORD).exists()

    @property
    def findings(self) -> "list[Finding]":
        """What was found wrong with it, the most probable root cause first.

        Empty also where nobody watched, or has not yet said anything.

        Raises:
            RunError: where the record is damaged.
        """
        from descend.descent.record_file import read_findings
        from descend.diagnosing.finding import Finding

        if not (self.folder / RECORD).exists():
            return []
        names = Finding.__dataclass_fields__
        kept = read_findings(self.folder / RECORD)
        return [Finding(**{name: one[name] for name in names if name in one}) for one in kept]

    def report(self) -> Path:
        """Write ``report.html`` and return its path."""
        from descend.runs.report import write_report

        return write_report(self)

    def predict(self, source: Any, **options: Any) -> list[dict[str, Any]]:
        """Answer for new inputs.

        Args:
            source: what the run's reader takes (a CSV, a picture, a folder, a text, ...); for any run
                also a tensor (n, ...), or a tuple of tensors for a function of several inputs. Where
                the function comes from a Python file: ``.npy``, ``.safetensors``, or a ``.csv`` of numbers.
            options: what the reader takes.

        Returns:
            One answer an input; ``{"output": [...]}`` where there is no reader.

        Raises:
            DataError: where the inputs cannot be read or do not fit.
            RunError: where the run takes no inputs, or has lost its function.
        """
        from descend.runs.predict import answers

        return answers(self, source, **options)

    def __repr__(self) -> str:
        facts = self.facts
        try:
            ending = "not finished" if facts["outcome"] is None else self.outcome.value
        except DescendError:
            ending = "damaged"
        parts = [self.name, *([facts["method"]] if facts["method"] else []), ending]
        if facts["steps"] is not None:
            parts[-1] += f" after {facts['steps']:,} steps"
        if facts["loss"] is not None:
            parts.append(f"loss {self.loss:.4g}")
        metrics = facts["metrics"] or {}
        shown = [n for n in metrics if n.endswith("/test")] or [
            n for n in metrics if n.endswith("/validation")
        ]
        parts += [f"{name} {_number(metrics[name]):.4g}" for name in shown]
        return f"Run({str(self.folder)!r}: {', '.join(parts)})"


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _damaged(folder: Path, came: str) -> RunError:
    return RunError(
        f"a whole {FACTS} in {folder}",
        came,
        "put the file back from a copy, or train again in another folder",
    )


def _cannot_make(folder: Path, error: OSError) -> RunError:
    return RunError(
        f"a folder that can be written at {folder}",
        f"“{error.strerror}”",
        "change its permissions or choose another folder",
    )


def _runs_near(folder: Path) -> str:
    """Name the runs in a folder, for the last part of an error."""
    try:
        runs = sorted(folder.glob(f"*/{FACTS}"), key=lambda p: p.stat().st_mtime, reverse=True)
    except OSError:
        runs = []
    if not runs:
        return "give the folder that descend fit printed"
    return f"did you mean {' or '.join(str(p.parent) for p in runs[:3])}?"
