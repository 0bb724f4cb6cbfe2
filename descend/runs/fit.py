"""Train: one call from a problem to a finished run."""

import json
import math
import os
import platform
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from descend.descent.descent import Descent
from descend.descent.observe import Observer
from descend.descent.record import Record
from descend.descent.settings import resolve_settings
from descend.descent.threads import choose_threads
from descend.descent.trajectory import Trajectory
from descend.descent.until import Until
from descend.errors import DataError, RunError, UsageError
from descend.functions.problem import Problem, Settings
from descend.methods.curvature.deterministic import Deterministic
from descend.runs.ending import finish, now
from descend.runs.run import TRAJECTORY, Run

_COMPARED = ("target", "method", "hyperparameters", "settings", "data", "count")
"""What must be the same for a run to be resumed."""
BUDGET = 0.03
"""The share of the time that watching may take, unless told otherwise."""


def fit(
    problem: Problem,
    method: str | None = None,
    lr: float | None = None,
    *,
    until: Until | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    batch_size: int | None = None,
    schedule: str | None = None,
    warmup: float | None = None,
    clip: float | None = None,
    accumulate: int | None = None,
    precision: str | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    device: str | None = None,
    threads: int | None = None,
    resume: bool = False,
    startup: float = 0.0,
    save_every: float = 10.0,
    observers: Sequence[Observer] = (),
    watch: bool | float = True,
    prove: float | None = None,
    target: str | None = None,
    command: str | None = None,
) -> Run:
    """Descend on a problem, and leave a run.

    Args:
        problem: what to minimise; it is not changed.
        method: a method's name; ``None`` takes what the problem recommends, as for all below.
        lr: the learning rate, ≥ 0.
        until: when to stop.
        seed: of the order of the data and of all chance while descending. The initial parameters are
            the problem's own.
        out: the run's folder; by default ``runs/<problem's name>``, with the next free number.
        batch_size: examples a step.
        schedule: how the learning rate goes: constant, linear, cosine, wsd, one-cycle, inverse-sqrt; and any
            other hyperparameter: ``"cosine, weight_decay=linear, momentum=0.85..0.95"``.
        warmup: the share of the descent in which it rises from nothing.
        clip: the largest norm of the whole gradient.
        accumulate: batches whose gradients are averaged for one update.
        precision: float32, bfloat16, or auto, which is bfloat16 where the device has instructions for it.
        hyperparameters: of the method, by torch's names.
        device: where to compute; the first GPU, or the CPU.
        threads: CPU threads; by default chosen by measuring.
        resume: go on with the run in ``out``, from its last saved state; from the start if there is
            none. The result is bitwise the same as without the interruption.
        startup: seconds already spent before this call, to be counted against ``until.seconds``.
        save_every: seconds between two savings of the state; they happen in the background.
        observers: are shown the descent from time to time.
        watch: see what goes wrong (:attr:`descend.Run.findings`), in at most this share of the time: 0.03
            for ``True``, and not at all for ``False``. The parameters are the same bits either way.
        prove: seconds for trying remedies on forks, once the descent has ended and something is wrong with
            it; by default a tenth of the training time, which a bound on the time includes. 0 tries none.
        target: what the command line was given, for the record.
        command: the command line, for the record.

    Returns:
        The finished run. An interrupt (Ctrl-C) ends it with ``Outcome.INTERRUPTED`` and its state saved.

    Raises:
        UsageError: where a name is unknown or a number out of its range.
        RunError: where the folder cannot be written, holds a run already, or holds another one.
        DataError: where the function, the loss and the data do not fit together.

    Example:
        >>> import torch, descend, tempfile
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> problem = descend.Problem(torch.nn.Linear(1, 1), "mse", train=(x, 3 * x + 1))
        >>> until = descend.Until(steps=300)
        >>> run = descend.fit(problem, "sgd", lr=0.3, until=until, out=tempfile.mkdtemp() + "/line")
        >>> run.outcome.value, round(run.parameters["weight"].item(), 2)
        ('out of steps', 3.0)
    """
    changes = {
        "lr": lr,
        "batch_size": batch_size,
        "schedule": schedule,
        "warmup": warmup,
        "clip": clip,
        "accumulate": accumulate,
        "precision": precision,
        "hyperparameters": hyperparameters,
    }
    attention = _attention(watch, prove)
    settings = resolve_settings(problem.settings, method, {k: v for k, v in changes.items() if v is not None})
    until = _bounded(until, settings)
    descent = Descent(problem, seed=seed, device=device, **_as_dict(settings))
    facts = _facts(problem, descent, until, target, command)
    run, state = _open(problem, out, facts, resume)
    if run.finished and state.exists():  # there is nothing left to do
        descent.load(state)
        run.attach(descent.result())
        return run
    run.lock()
    try:
        return _train(problem, descent, until, run, state, threads, observers, startup, save_every, attention)
    except BaseException as error:
        if descent.steps == 0 and not state.exists():
            _discard(run)
            # What torch raises at the very first step is about this function, loss and data.
            kinds = RuntimeError, TypeError, IndexError, ValueError
            if isinstance(error, kinds) and "memory" not in str(error):
                raise DataError(
                    "a function and a loss that take the examples",
                    f"{type(error).__name__}: {error}".splitlines()[0],
                    "check the shapes and types of the inputs, the output and the target",
                ) from error
        raise
    finally:
        run.unlock()


def _train(
    problem: Problem,
    descent: Descent,
    until: Until,
    run: Run,
    state: Path,
    threads: int | None,
    observers: Sequence[Observer],
    startup: float,
    save_every: float,
    attention: tuple[float, float | None],
) -> Run:
    threads_before = torch.get_num_threads()
    if state.exists():
        descent.load(state)
    if until.seconds is not None:  # however long the start took, some time is left to descend in
        startup = min(startup, 0.9 * until.seconds)
    descent.seconds += startup
    record = Record(run.folder / "record.db", keep_to=descent.steps)
    way, path = Trajectory(descent.names, descent.parameters), run.folder / TRAJECTORY
    if descent.steps and path.exists():
        with suppress(RunError):  # a picture less
            way.load(path, descent.steps)
    try:
        _settle_threads(problem, descent, run, threads)
        if descent.steps:
            record.event(descent.steps, descent.seconds, "resumed", f"went on from step {descent.steps}")

        def checkpoint() -> None:
            # Taken here, written in the background once the metrics up to here are on disk.
            snapshot = descent.snapshot()
            record.then(lambda: snapshot.save(state))

        with _stopping(descent), ExitStack() as stack:
            watched = None
            # A method that knows when it is done has its own account of what went wrong; the signs were
            # learned from descents by gradients alone.
            if attention[0] and not isinstance(descent.method, Deterministic):
                from descend.runs.watched import Watched

                watched = stack.enter_context(Watched(descent, until, record, *attention))
            outcome = descent.run(
                until,
                record=record,
                observers=[*observers, *([watched] if watched is not None else [])],
                checkpoint=checkpoint,
                checkpoint_seconds=save_every,
                trajectory=way,
            )
        checkpoint()
        record.then(lambda: way.save(path))
        record.wait()
        finish(problem, descent, run, outcome, until)
        if watched is not None:
            watched.conclude(run, outcome)
    finally:
        record.close()
        torch.set_num_threads(threads_before)
    run.report()
    return run


def _attention(watch: bool | float, prove: float | None) -> tuple[float, float | None]:
    """Return the share of the time that watching may take, 0 for none, and the seconds for proof."""
    if not isinstance(watch, bool) and not 0 <= watch <= 1:
        raise UsageError("a share of the time from 0 to 1 for watch", repr(watch), "0.03 is 3% of it")
    if prove is not None and not (0 <= prove < math.inf):
        raise UsageError("seconds of 0 or more for prove", repr(prove), "0 tries no remedy")
    return (BUDGET if watch is True else float(watch)), prove


def _discard(run: Run) -> None:
    """Take away the folder of a run that never took a step: there is nothing in it to lose."""
    for name in ("run.json", "record.db", "record.db-wal", "record.db-shm"):
        (run.folder / name).unlink(missing_ok=True)
    run.unlock()
    with suppress(OSError):  # it was there before, with something else in it
        run.folder.rmdir()
        if run.folder.parent.name == "runs":
            run.folder.parent.rmdir()  # fails, and is left, where other runs are in it


def _bounded(until: Until | None, settings: Settings) -> Until:
    """Fill in what the problem recommends where nothing bounds the descent."""
    from dataclasses import replace

    until = until or Until()
    if until.gradient_norm is None and settings.gradient_norm is not None:
        until = replace(until, gradient_norm=settings.gradient_norm)
    if until.steps is None and until.seconds is None:
        until = replace(until, steps=settings.steps)
    return until


def _as_dict(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in Settings.__dataclass_fields__}


def _facts(
    problem: Problem, descent: Descent, until: Until, target: str | None, command: str | None
) -> dict[str, Any]:
    """Return what run.json says before the first step."""
    from descend import __version__

    settings, data = descent.settings, problem.describe_data()
    source = data.pop("problem", None)
    metric = problem.metric
    return {
        "name": problem.name,
        "target": target,
        "command": command,
        "started": now(),
        "finished": None,
        "outcome": None,
        "method": settings.method,
        "hyperparameters": descent.hyperparameters(),
        "settings": {
            "batch_size": settings.batch_size,
            "schedule": settings.schedule,
            "warmup": settings.warmup,
            "clip": settings.clip,
            "accumulate": settings.accumulate,
            "precision": settings.precision,
            "seed": descent.seed,
            "until": until.to_json(),
            "device": str(descent.device),
        },
        "function": getattr(problem.function, "__name__", type(problem.function).__name__),
        "loss_name": problem.loss_name,
        "metric": metric and {"name": metric.name, "larger_is_better": metric.larger_is_better},
        "count": problem.count,
        "data": data,
        "reader": problem.reader and {"kind": problem.reader.kind, **problem.reader.to_json()},
        "problem": source,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "descend": __version__,
        },
        "machine": _machine(),
        "notes": list(problem.facts.get("notes", [])),
    }


def _machine() -> dict[str, Any]:
    facts: dict[str, Any] = {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        facts["memory(GiB)"] = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _open(problem: Problem, out: str | Path | None, facts: dict[str, Any], resume: bool) -> tuple[Run, Path]:
    """Return the run to write, new or resumed, and the place of its state."""
    folder = Path(out).expanduser() if out is not None else _next_free(problem.name)
    state = folder / "state.safetensors"
    if not resume or not (folder / "run.json").exists():
        return Run.create(folder, facts), state
    run = Run.open(folder)
    # JSON has neither tuples nor integer keys: compare what would be read back.
    differing = [
        f"{name} was {_brief(old)} and is {_brief(new)}"
        for part in _COMPARED
        for name, old, new in _differences(part, run.facts.get(part), json.loads(json.dumps(facts[part])))
    ]
    if differing:
        raise RunError(
            f"the settings that {folder} was started with",
            ", ".join(differing[:4]),
            "resume with the same settings, or choose another --out",
        )
    return run, state


def _differences(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in ("threads",):
                yield from _differences(key, old.get(key), new.get(key))
    elif old != new and not (isinstance(old, float) and math.isnan(old)):
        yield name, old, new


def _brief(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _next_free(name: str) -> Path:
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in name) or "run"
    folder, number = Path("runs") / plain, 2
    while folder.exists():
        folder, number = Path("runs") / f"{plain}-{number}", number + 1
    return folder


def _settle_threads(problem: Problem, descent: Descent, run: Run, threads: int | None) -> None:
    """Choose the number of threads; a resumed run keeps its own, or its sums would round otherwise."""
    settings, notes = dict(run.facts["settings"]), list(run.facts.get("notes", []))
    chosen = threads or settings.get("threads")
    if chosen is None:
        size = settings["batch_size"] or len(problem.train)
        precision = settings.get("precision", "float32")
        chosen, why = choose_threads(problem, size, descent.device, torch.get_num_threads(), precision)
        notes += [why] if why else []
    torch.set_num_threads(chosen)
    # A resumed run is going on again: what it says of its end no longer holds.
    run.write(settings={**settings, "threads": chosen}, notes=notes, finished=None, outcome=None)


@contextmanager
def _stopping(descent: Descent) -> Iterator[None]:
    """Let Ctrl-C (and SIGTERM) stop the descent after its step; a second Ctrl-C stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def stop(number: int, frame: object) -> None:
        descent.stop_requested = True
        for kind, handler in before.items():
            signal.signal(kind, handler)

    for kind in kinds:
        signal.signal(kind, stop)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
