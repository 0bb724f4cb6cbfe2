"""``file.py:name``: a problem that a person wrote in Python."""

import contextlib
import hashlib
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from descend.errors import DataError, DescendError, UsageError, nearest
from descend.functions.problem import Problem
from descend.functions.splits import seeded


def problem_from_file(
    file: Path, name: str | None, seed: int = 0, options: dict[str, Any] | None = None
) -> Problem:
    """Run a Python file and return one of its problems.

    What the file draws from torch's generator is drawn from ``seed``, so that a run can be repeated; what
    it prints goes to standard error. Files beside it can be imported, as when it is run as a program.

    Args:
        file: the file.
        name: a ``Problem`` in it, or a function that returns one; the function is given ``seed`` and the
            options that it has parameters for.
        seed: as above.
        options: arguments of the function.

    Returns:
        The problem; its facts say which file, and with what content, it came from.

    Raises:
        UsageError: where there is no name, nothing of that name, or an option that is not taken.
        DataError: where the file is missing, raises, or the name is no problem.
    """
    try:
        source = file.read_bytes()
    except OSError as error:
        raise DataError(
            "a Python file", f"{file} ({(error.strerror or str(error)).lower()})", "check the path"
        ) from None
    with seeded(seed):
        module = _run(file, source)
        if not name or not hasattr(module, name):
            raise _unnamed(module, file, name)
        problem = getattr(module, name)
        if not isinstance(problem, Problem):
            problem = _called(problem, f"{file.name}:{name}", file, seed, options or {})
        elif options:
            raise UsageError(f"no options for {file.name}:{name}", ", ".join(options), "make it a function")
    if problem.name == "problem":  # it has no name of its own
        problem.name = file.stem if name == "problem" else name
    problem.facts.setdefault("source", str(file))
    problem.facts["problem"] = {
        "file": str(file.resolve()),
        "name": name,
        "sha256": hashlib.sha256(source).hexdigest(),
    }
    return problem


def _run(file: Path, source: bytes) -> ModuleType:
    """Run the file as a module, without leaving ``__pycache__`` behind."""
    module = ModuleType(f"_descend_{file.stem}")
    module.__file__ = str(file.resolve())
    sys.modules[module.__name__] = module  # dataclasses look their module up
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with _explained(f"a Python file that runs: {file.name}", file):
        exec(compile(source, module.__file__, "exec", dont_inherit=True), module.__dict__)
    return module


def _called(function: Any, what: str, file: Path, seed: int, options: dict[str, Any]) -> Problem:
    """Call a person's function and return its problem."""
    if not callable(function):
        raise DataError(
            f"a Problem, or a function that returns one, as {what}",
            f"{type(function).__name__}",
            "make it descend.Problem(...)",
        )
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        parameters = {}
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for option in options:
        if option not in parameters and not any_name:
            do = nearest(option, list(parameters)) if parameters else "leave it out"
            raise UsageError(f"an option of {what}", option, do)
    given = {**options, "seed": seed} if "seed" in parameters else options
    missing = [
        p.name
        for p in parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in given
    ]
    if missing:
        raise DataError(
            f"a function {what} that can be called with seed alone",
            f"one that needs {', '.join(missing)}",
            "give each a default",
        )
    with _explained(f"a function that runs: {what}", file):
        problem = function(**given)
    if not isinstance(problem, Problem):
        raise DataError(
            f"a Problem from {what}", f"{type(problem).__name__}", "let it return descend.Problem(...)"
        )
    return problem


@contextlib.contextmanager
def _explained(expected: str, file: Path):
    """Turn whatever a person's code raises into one sentence with its type, its message and its line."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except DescendError:
        raise  # it says by itself what is wrong
    except (Exception, SystemExit) as error:
        line = _line(error, file)
        message = " ".join(str(getattr(error, "msg", None) or error).split())
        came = f"{type(error).__name__}: {message}" if message else type(error).__name__
        raise DataError(expected, f"{came}{f' (line {line})' if line else ''}", f"mend {file}") from None


def _line(error: BaseException, file: Path) -> int | None:
    """Return the last line of the file itself that was running."""
    own = str(file.resolve())
    if isinstance(error, SyntaxError) and error.filename == own:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return lines[-1] if lines else None


def _unnamed(module: ModuleType, file: Path, name: str | None) -> UsageError:
    """Return the error that says which problems there are."""
    there = [key for key, value in vars(module).items() if isinstance(value, Problem)]
    there += [
        key
        for key, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not key.startswith("_")
    ]
    if not there:
        do = f"define problem = descend.Problem(...) in {file.name}"
    elif name:
        do = nearest(name, there)
    else:
        do = f"choose {' or '.join(f'{file}:{key}' for key in there[:8])}"
    return UsageError(f"the name of a Problem in {file}", repr(name) if name else "no name after a colon", do)
