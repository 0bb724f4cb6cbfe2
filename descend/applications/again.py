"""The problem of a run, made anew from what the run says of it."""

from collections.abc import Mapping
from typing import Any

from descend.errors import RunError
from descend.functions.problem import Problem


def problem_again(facts: Mapping[str, Any], do: str) -> Problem:
    """Make the problem of a run anew: the same data, in the same parts, and the same initial parameters.

    Args:
        facts: what ``run.json`` says.
        do: what to do where that cannot be, for the error.

    Raises:
        RunError: where the problem was made in a Python program.
        DataError: where its file is there no more, or cannot be read.
    """
    from descend.applications.targets import problem_from_target

    code = facts.get("problem")
    target = f"{code['file']}:{code['name']}" if code else facts.get("target")
    if target is None:
        raise RunError(
            "a run whose problem can be made anew", "one whose problem was made in a Python program", do
        )
    options = (facts.get("data") or {}).get("options") or {}
    return problem_from_target(target, seed=(facts.get("settings") or {}).get("seed", 0), **options)
