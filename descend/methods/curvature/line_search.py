"""How far: searches along a direction, each a part that any method can take.

A search is given what it needs to know of the line, ``ask(step) → Place``, and where it starts. It returns
the place that it found, or the best one it met with ``found=False``. Values that are no finite numbers are a
wall: the search stays before it.

Close to a minimum the differences between losses drown in their roundings, and slopes still tell: there a
difference of losses is taken from the slopes at both ends, which turns the condition of decrease into the
approximate one of Hager & Zhang (2005, SIAM J. Optim. 16(1)). Without it half of the digits are lost.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Place:
    """A point on the line.

    Attributes:
        step: how far along.
        value: the loss.
        slope: the derivative along the line.
    """

    step: float
    value: float
    slope: float

    @property
    def finite(self) -> bool:
        """Whether loss and slope are numbers."""
        return math.isfinite(self.value) and math.isfinite(self.slope)


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        place: the point.
        found: whether it fulfils the search's conditions; else it is the lowest point that was met.
        walled: whether a value that is no finite number was met.
        shortest: the shortest step that was tried.
    """

    place: Place
    found: bool
    walled: bool = False
    shortest: float = 0.0


Ask = Callable[[float], Place]


def noise(value: float, eps: float) -> float:
    """Return below which a difference of losses near ``value`` says nothing, eps being the format's."""
    return 10 * eps * abs(value)


def backtracking(
    ask: Ask,
    start: Place,
    step: float,
    *,
    decrease: float = 1e-4,
    factor: float = 0.5,
    most: int = 40,
    eps: float,
) -> Found:
    """Shorten the step until the loss falls enough (Armijo 1966).

    Args:
        ask: evaluates a step.
        start: where the line begins; its slope is negative.
        step: the first trial.
        decrease: c₁: φ(α) ≤ φ(0) + c₁ α φ′(0).
        factor: by how much a step is shortened, if a parabola says nothing better.
        most: evaluations.
        eps: of the number format.
    """
    line = _Line(ask, start, decrease, 0.0, eps)
    while line.asked < most:
        place = line.at(step)
        if not place.finite:
            step *= factor
            continue
        if line.decreases(place):
            return line.told(place)
        curve = 2 * (place.value - start.slope * step)
        step = min(max(-start.slope * step**2 / curve, 0.1 * step), factor * step)
    return line.told()


def strong_wolfe(
    ask: Ask,
    start: Place,
    step: float,
    *,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    longest: float = 1e10,
    most: int = 30,
    eps: float,
) -> Found:
    """Bracket and zoom until decrease and slope are right (Nocedal & Wright 2006, algorithms 3.5 and 3.6).

    Args:
        ask: evaluates a step.
        start: where the line begins; its slope is negative.
        step: the first trial.
        decrease: c₁ of the condition of decrease.
        curvature: c₂: |φ′(α)| ≤ c₂ |φ′(0)|.
        longest: no longer step is tried.
        most: evaluations.
        eps: of the number format.
    """
    line = _Line(ask, start, decrease, curvature, eps)
    before = line.start
    while line.asked < most:
        place = line.at(step)
        if not place.finite:
            longest = min(longest, step)
            step = (before.step + step) / 2 if before.step else 0.1 * step
            continue
        if line.right(place):
            return line.told(place)
        if not line.decreases(place) or (before.step and place.value >= before.value):
            return line.zoom(before, place, most)
        if place.slope >= 0:
            return line.zoom(place, before, most)
        if step >= longest * (1 - 1e-12):
            return line.told(place)  # as far as it may go, and lower
        before, step = place, min(2 * step, longest if not line.walled else (step + longest) / 2)
    return line.told()


class _Line:
    """A line under the strong Wolfe conditions; its places have how far the loss rose as their value."""

    def __init__(self, ask: Ask, start: Place, decrease: float, curvature: float, eps: float):
        self.ask, self.level, self.eps = ask, start.value, eps
        self.start = start = replace(start, value=0.0)
        self.decrease, self.curvature = decrease, curvature
        self.asked, self.walled, self.best, self.shortest = 0, False, start, math.inf

    def told(self, place: Place | None = None) -> Found:
        """Return what the search came to: a right place, or else the lowest one that was met."""
        found = place or self.best
        found = replace(found, value=self.level + found.value)
        return Found(found, place is not None, self.walled, self.shortest)

    def at(self, step: float) -> Place:
        self.asked += 1
        self.shortest = min(self.shortest, step)
        place = self.ask(step)
        rise = place.value - self.level
        if place.finite and abs(rise) <= noise(self.level, self.eps):
            rise = step * (self.start.slope + place.slope) / 2
        place = replace(place, value=rise)
        if not place.finite:
            self.walled = True
        elif place.value < self.best.value:
            self.best = place
        return place

    def decreases(self, place: Place) -> bool:
        return place.value <= self.decrease * place.step * self.start.slope

    def right(self, place: Place) -> bool:
        return self.decreases(place) and abs(place.slope) <= -self.curvature * self.start.slope

    def zoom(self, low: Place, high: Place, most: int) -> Found:
        """Narrow an interval whose end ``low`` is the lowest that decreases, and falls towards ``high``."""
        while self.asked < most and abs(high.step - low.step) > 1e-14 * max(abs(high.step), abs(low.step)):
            step = _cubic(low, high)
            width = high.step - low.step
            if not 0.1 <= (step - low.step) / width <= 0.9:  # an end gained nothing: halve
                step = low.step + width / 2
            place = self.at(step)
            if not place.finite or not self.decreases(place) or place.value >= low.value:
                high = place if place.finite else replace(place, value=math.inf, slope=math.inf)
                continue
            if self.right(place):
                return self.told(place)
            if place.slope * width >= 0:
                high = low
            low = place
        return self.told()


def _cubic(a: Place, b: Place) -> float:
    """Return where the cubic through two places is lowest; their middle where it says nothing."""
    middle = (a.step + b.step) / 2
    if not (math.isfinite(a.value) and math.isfinite(b.value) and math.isfinite(b.slope)):
        return middle
    theta = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    root = theta**2 - a.slope * b.slope
    if root < 0:
        return middle
    gamma = math.copysign(math.sqrt(root), b.step - a.step)
    below = b.slope - a.slope + 2 * gamma
    return b.step - (b.step - a.step) * (b.slope + gamma - theta) / below if below else middle


def more_thuente(
    ask: Ask,
    start: Place,
    step: float,
    *,
    decrease: float = 1e-3,
    curvature: float = 0.9,
    narrow: float = 0.1,
    longest: float = 1e10,
    most: int = 20,
    eps: float,
) -> Found:
    """Moré & Thuente's search (1994, ACM TOMS 20(3)): it keeps an interval that must hold a right step.

    Args:
        ask: evaluates a step.
        start: where the line begins; its slope is negative.
        step: the first trial.
        decrease: μ: φ(α) ≤ φ(0) + μ α φ′(0).
        curvature: η: |φ′(α)| ≤ η |φ′(0)|.
        narrow: an interval as narrow as this share of its upper end is not searched further.
        longest: no longer step is tried.
        most: evaluations.
        eps: of the number format.
    """
    line = _Line(ask, start, decrease, curvature, eps)
    test = decrease * start.slope
    # The interval's ends (low is the best so far), and, until a step decreases, of the auxiliary function.
    low, high, bracketed, auxiliary = line.start, line.start, False, True
    shortest, farthest = 0.0, 5 * step
    width, width_before = longest, 2 * longest
    step = min(step, longest)
    while line.asked < most:
        place = line.at(step)
        if not place.finite:
            longest = farthest = step
            step = low.step + 0.1 * (step - low.step) if not bracketed else (low.step + step) / 2
            if step <= low.step:
                break
            continue
        if line.right(place):
            return line.told(place)
        if bracketed and (step <= shortest or step >= farthest or farthest - shortest <= narrow * farthest):
            break
        if step >= longest and place.value <= step * test and place.slope <= test:
            return line.told(place)  # as far as it may go, and lower
        if auxiliary and place.value <= step * test and place.slope >= 0:
            auxiliary = False
        lift = test if auxiliary and place.value <= low.value and not line.decreases(place) else 0.0
        a, b, c = (
            replace(p, value=p.value - p.step * lift, slope=p.slope - lift) for p in (low, high, place)
        )
        step, a, b, bracketed = _safe_step(a, b, c, bracketed, shortest, farthest)
        low, high = (replace(p, value=p.value + p.step * lift, slope=p.slope + lift) for p in (a, b))
        if bracketed:
            if abs(high.step - low.step) >= 0.66 * width_before:
                step = low.step + 0.5 * (high.step - low.step)
            width_before, width = width, abs(high.step - low.step)
            shortest, farthest = min(low.step, high.step), max(low.step, high.step)
        else:
            shortest, farthest = step + 1.1 * (step - low.step), step + 4.0 * (step - low.step)
        step = min(max(step, 0.0), longest)
        if bracketed and (step <= shortest or step >= farthest or farthest - shortest <= narrow * farthest):
            step = low.step  # no further progress: the best so far
            break
    return line.told()


def _safe_step(
    low: Place, high: Place, here: Place, bracketed: bool, shortest: float, farthest: float
) -> tuple[float, Place, Place, bool]:
    """Return the next trial, and the interval with its newest point: the paper's four cases."""
    opposite = here.slope * math.copysign(1.0, low.slope) < 0
    theta = 3 * (low.value - here.value) / (here.step - low.step) + low.slope + here.slope
    size = max(abs(theta), abs(low.slope), abs(here.slope))
    inside = (theta / size) ** 2 - (low.slope / size) * (here.slope / size)
    if here.value > low.value:  # higher: a minimum lies between
        gamma = size * math.sqrt(max(inside, 0.0))
        gamma = -gamma if here.step < low.step else gamma
        r = (gamma - low.slope + theta) / (2 * gamma - low.slope + here.slope)
        cubic = low.step + r * (here.step - low.step)
        secant = (low.value - here.value) / (here.step - low.step) + low.slope
        parabola = low.step + low.slope / secant / 2 * (here.step - low.step)
        closer = abs(cubic - low.step) < abs(parabola - low.step)
        step, bracketed = cubic if closer else cubic + (parabola - cubic) / 2, True
    elif opposite:  # lower, and the slope turned: a minimum lies between
        gamma = size * math.sqrt(max(inside, 0.0))
        gamma = -gamma if here.step > low.step else gamma
        r = (gamma - here.slope + theta) / (2 * gamma - here.slope + low.slope)
        cubic = here.step + r * (low.step - here.step)
        parabola = here.step + here.slope / (here.slope - low.slope) * (low.step - here.step)
        farther = abs(cubic - here.step) > abs(parabola - here.step)
        step, bracketed = cubic if farther else parabola, True
    elif abs(here.slope) < abs(low.slope):  # lower, less steep: the cubic may have no minimum ahead
        gamma = size * math.sqrt(max(inside, 0.0))
        gamma = -gamma if here.step > low.step else gamma
        below = gamma + (low.slope - here.slope) + gamma
        r = (gamma - here.slope + theta) / below if below else 0.0
        if r < 0 and gamma != 0:
            cubic = here.step + r * (low.step - here.step)
        else:
            cubic = farthest if here.step > low.step else shortest
        parabola = here.step + here.slope / (here.slope - low.slope) * (low.step - here.step)
        cubic_is_nearer = abs(cubic - here.step) < abs(parabola - here.step)
        if bracketed:
            step = cubic if cubic_is_nearer else parabola
            most = here.step + 0.66 * (high.step - here.step)
            step = min(most, step) if here.step > low.step else max(most, step)
        else:
            step = parabola if cubic_is_nearer else cubic
            step = min(max(step, shortest), farthest)
    elif bracketed:  # lower, as steep: go to the other end
        theta = 3 * (here.value - high.value) / (high.step - here.step) + high.slope + here.slope
        size = max(abs(theta), abs(high.slope), abs(here.slope))
        gamma = size * math.sqrt(max((theta / size) ** 2 - (high.slope / size) * (here.slope / size), 0.0))
        gamma = -gamma if here.step > high.step else gamma
        r = (gamma - here.slope + theta) / (2 * gamma - here.slope + high.slope)
        step = here.step + r * (high.step - here.step)
    else:
        step = farthest if here.step > low.step else shortest
    if here.value > low.value:
        high = here
    else:
        if opposite:
            high = low
        low = here
    return step, low, high, bracketed


SEARCHES = {"more-thuente": more_thuente, "strong-wolfe": strong_wolfe, "backtracking": backtracking}
"""Every search by its name."""
