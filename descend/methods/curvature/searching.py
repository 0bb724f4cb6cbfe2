"""What methods share that choose a direction and search along it, and how they end."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor

from descend.methods.curvature.deterministic import Deterministic
from descend.methods.curvature.line_search import SEARCHES, Found, Place, noise
from descend.methods.curvature.objective import Objective


class LineSearching(Deterministic):
    """What methods share that choose a direction and search along it."""

    lr: float = 1.0
    line_search: str = "more-thuente"
    decrease: float = 1e-3
    curvature: float = 0.9

    ranges: ClassVar[Mapping[str, Any]] = {
        "lr": ("above 0", lambda x: x > 0),
        "decrease": ("in (0, 0.5)", lambda x: 0 < x < 0.5),
        "curvature": ("in (0, 1)", lambda x: 0 < x < 1),
    }
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"line_search": tuple(SEARCHES)}

    def _search(
        self, objective: Objective, start: Place, direction: Tensor, step: float
    ) -> tuple[Found, Tensor | None]:
        """Search along a direction; the parameters end where it says.

        Returns:
            What was found, and the gradient (n,) there; none where it stays.
        """
        h = self.param_groups[0]
        origin = objective.point()

        values: dict[float, float] = {}  # searches may work with what slopes tell of them
        latest: dict[float, Tensor] = {}  # gradient of the last place asked, mostly the one found

        def ask(length: float) -> Place:
            latest.clear()
            objective.move(origin)
            objective.step(direction, length)
            values[length], gradient = objective.gradient()
            latest[length] = gradient
            return Place(length, values[length], float(gradient @ direction))

        search = SEARCHES[h["line_search"]]
        rules = {"decrease": h["decrease"]}
        if h["line_search"] != "backtracking":
            rules["curvature"] = h["curvature"]
        found = search(ask, start, step, eps=self._eps(direction), **rules)
        step, least = found.place.step, start.value - noise(start.value, self._eps(direction))
        if not step or not (found.found or values[step] < least):  # no gain, or one of rounding alone
            objective.move(origin)
            return replace(found, place=start), None
        if step not in latest:
            ask(step)
        return replace(found, place=replace(found.place, value=values[step])), latest[step]
