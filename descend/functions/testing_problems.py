"""The test problems of Moré, Garbow & Hillstrom, as problems to descend."""

import torch

from descend.errors import UsageError, nearest
from descend.functions.problem import Problem
from descend.functions.surface_table import TESTING
from descend.functions.testing_table import TESTING_PROBLEMS


def testing_problem(name: str) -> Problem:
    """Return a test problem from its standard start, in float64.

    Its loss is the *mean* of the squared residuals, as of a fit of m observations: the sum divided by m, as
    its ``minimum`` is.

    Args:
        name: as in :data:`TESTING_PROBLEMS`; upper case, underscores and spaces do not matter.

    Raises:
        UsageError: where there is none of this name.

    Example:
        >>> round(testing_problem("jennrich-sampson").minimum * 10, 3)
        124.362
    """
    row = TESTING_PROBLEMS.get(name.strip().lower().replace("_", "-").replace(" ", "-"))
    if row is None:
        raise UsageError("the name of a test problem", repr(name), nearest(name, list(TESTING_PROBLEMS)))
    residuals = row.residuals
    return Problem(
        lambda parameters: residuals(parameters["x"]),
        "mse",
        train=(torch.zeros(row.m, dtype=torch.float64),),
        parameters={"x": torch.tensor(row.start, dtype=torch.float64)},
        name=row.name,
        minimum=row.minimum / row.m,
        facts={
            "source": row.name,
            "kind": "test problem",
            "dimension": row.n,
            "start": list(row.start),
            "minimum": row.minimum / row.m,
            "minimisers": [list(point) for point in row.minimisers],
            "minima": [least.value / row.m for least in row.minima],
            "citation": f"{row.source}; number {row.number} of {TESTING}",
            "rows": None,
            "classes": None,
            "sha256": None,
        },
    )


# pytest takes what a test module imports under such a name for a test.
testing_problem.__test__ = False  # type: ignore[attr-defined]

__all__ = ["TESTING_PROBLEMS", "testing_problem"]
