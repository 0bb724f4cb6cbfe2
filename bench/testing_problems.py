"""Which methods meet the known minima of Moré, Garbow & Hillstrom's 35 problems, and in how many evaluations.

    python bench/testing_problems.py [--only METHOD ...] [--each] [--picture FILE.svg]

Every problem from its standard start. A minimum is met where the sum of squares lies within 1e-10 of a known
one, relative to it; where that is zero, below 1e-10, or below 1e-10 of the sum at the start if that is less
than 1. Evaluations are those of a gradient (or of
residuals, or of a Jacobian) until it ends; products with a Hessian count as one more each, as they cost.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import descend
from descend.functions.testing_problems import TESTING_PROBLEMS, testing_problem

Found = tuple[float, int, int]
"""Sum of squares, evaluations until it ended, evaluations until a known minimum was met to 1e-10."""


class Asked:
    """A problem as functions of a NumPy vector that count, and note when it was solved first."""

    def __init__(self, name: str):
        self.row = TESTING_PROBLEMS[name]
        self.start = np.array(self.row.start)
        self.first = self.sum_of(torch.tensor(self.row.start, dtype=torch.float64))
        self.asked, self.solved = 0, 0

    def sum_of(self, x: torch.Tensor) -> float:
        """Return the sum of squares."""
        return float(self.row.residuals(x.detach()).square().sum())

    def met(self, value: float) -> bool:
        """Whether a sum is a known minimum."""
        least = self.row.minimum
        near = any(
            abs(value - one.value) <= 1e-10 * (one.value or min(self.first, 1)) for one in self.row.minima
        )
        return near or value < least

    def note(self, value: float, count: int = 1) -> None:
        """Count evaluations, and note when a minimum was met first."""
        self.asked += count
        if not self.solved and self.met(value):
            self.solved = self.asked

    def gradient(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the sum of squares and its gradient."""
        x = torch.from_numpy(np.array(w)).requires_grad_()
        loss = self.row.residuals(x).square().sum()
        (g,) = torch.autograd.grad(loss, x)
        self.note(loss.item())
        return loss.item(), g.numpy()

    def product(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return the Hessian's product with a vector."""
        self.asked += 1
        x = torch.from_numpy(np.array(w))
        function = lambda x: self.row.residuals(x).square().sum()  # noqa: E731
        _, found = torch.func.jvp(torch.func.grad(function), (x,), (torch.from_numpy(np.array(v)),))
        return found.numpy()

    def residuals(self, w: np.ndarray) -> np.ndarray:
        """Return the residuals."""
        found = self.row.residuals(torch.from_numpy(np.array(w))).numpy()
        self.note(float(found @ found))
        return found

    def jacobian(self, w: np.ndarray) -> np.ndarray:
        """Return their derivatives (m, n)."""
        self.asked += 1
        return torch.func.jacfwd(self.row.residuals)(torch.from_numpy(np.array(w))).numpy()


def ours(method: str | None, name: str) -> Found:
    problem, asked = testing_problem(name), Asked(name)
    descent = descend.Descent(problem, method)
    m = len(problem.train)
    while True:
        outcome = descent.run(descend.Until(steps=descent.steps + 1))
        own = descent.method
        known = own.known.item() if own.known is not None else math.inf
        asked.note(known * m, own.evaluations + own.products - asked.asked)
        if outcome is not descend.Outcome.OUT_OF_STEPS or descent.steps >= 5000:
            break
    final = asked.sum_of(next(iter(descent.result().parameters())))
    return final, asked.asked, asked.solved if asked.met(final) else 0


def scipy_minimize(method: str, options: dict[str, float], hessian: bool = False) -> Callable[[str], Found]:
    def solve(name: str) -> Found:
        from scipy.optimize import minimize

        asked = Asked(name)
        more = {"hessp": asked.product} if hessian else {}
        found = minimize(asked.gradient, asked.start, jac=True, method=method, options=options, **more)
        return float(found.fun), asked.asked, asked.solved

    return solve


def scipy_squares(method: str) -> Callable[[str], Found]:
    def solve(name: str) -> Found:
        from scipy.optimize import least_squares

        asked = Asked(name)
        found = least_squares(
            asked.residuals, asked.start, asked.jacobian, method=method, x_scale="jac",
            ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=20000,
        )  # fmt: skip
        return 2 * float(found.cost), asked.asked, asked.solved

    return solve


def pytorch_minimize(method: str) -> Callable[[str], Found]:
    def solve(name: str) -> Found:
        from torchmin import minimize

        asked = Asked(name)

        def value(x: torch.Tensor) -> torch.Tensor:
            found = asked.row.residuals(x).square().sum()
            asked.note(found.item())
            return found

        start = torch.tensor(asked.row.start, dtype=torch.float64)
        found = minimize(value, start, method=method, max_iter=20000, tol=1e-15)
        return float(found.fun), asked.asked, asked.solved

    return solve


def own(method: str | None) -> Callable[[str], Found]:
    return lambda name: ours(method, name)


SOLVERS: dict[str, Callable[[str], Found]] = {
    "descend (default)": own(None),
    "descend lbfgs": own("lbfgs"),
    "descend newton": own("newton"),
    "descend newtoncg": own("newtoncg"),
    "descend gaussnewton": own("gaussnewton"),
    "descend cg": own("cg"),
    "scipy L-BFGS-B": scipy_minimize(
        "L-BFGS-B", {"ftol": 0.0, "gtol": 1e-12, "maxiter": 20000, "maxfun": 20000}
    ),
    "scipy trust-ncg": scipy_minimize("trust-ncg", {"gtol": 1e-12, "maxiter": 20000}, True),
    "scipy trf, scaled": scipy_squares("trf"),
    "scipy lm (MINPACK)": scipy_squares("lm"),
    "pytorch-minimize l-bfgs": pytorch_minimize("l-bfgs"),
    "pytorch-minimize newton": pytorch_minimize("newton-exact"),
}


def main() -> None:
    """Run every method on every problem and print what it met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=list(SOLVERS), default=list(SOLVERS))
    parser.add_argument("--each", action="store_true", help="print every problem")
    parser.add_argument("--picture", type=Path, help="draw the performance profile into this SVG")
    options = parser.parse_args()
    print(f"{len(TESTING_PROBLEMS)} problems; torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print(f"{'':26}{'met':>5}{'median evaluations until met':>31}  missed")
    solved: dict[str, dict[str, int]] = {}
    for solver in options.only:
        own: dict[str, int] = {}
        for name in TESTING_PROBLEMS:
            try:
                value, asked, first = SOLVERS[solver](name)
            except Exception as error:  # a peer's own: it did not solve this one
                value, asked, first = math.nan, 0, 0
                if options.each:
                    print(f"  {name}: {type(error).__name__}: {error}")
            if first:
                own[name] = first
            if options.each:
                print(f"  {solver:26}{name:28}{value:24.16g}{asked:7}{first:7}", flush=True)
        solved[solver] = own
        missed = [name for name in TESTING_PROBLEMS if name not in own]
        median = sorted(own.values())[len(own) // 2] if own else 0
        print(f"{solver:26}{len(own):5}{median:31}  {', '.join(missed)}", flush=True)
    every = set().union(*(own.keys() for own in solved.values()))
    print(f"\nmet by at least one method of descend: {len(every_of_ours(solved))} of {len(TESTING_PROBLEMS)}")
    if {"descend lbfgs", "scipy L-BFGS-B"} <= solved.keys():
        a, b = solved["descend lbfgs"], solved["scipy L-BFGS-B"]
        ratios = sorted(a[name] / b[name] for name in a if name in b)
        middle = ratios[len(ratios) // 2]
        print(f"evaluations of descend lbfgs / scipy L-BFGS-B, median of {len(ratios)}: {middle:.2f}")
    if options.picture and every:
        options.picture.write_text(profile(solved, sorted(every)))


def every_of_ours(solved: dict[str, dict[str, int]]) -> set[str]:
    return set().union(*(own.keys() for name, own in solved.items() if name.startswith("descend")), set())


def profile(solved: dict[str, dict[str, int]], names: list[str]) -> str:
    """Return the performance profile as SVG: the share met within τ × the best (Dolan & Moré 2002)."""
    best = {name: min(own[name] for own in solved.values() if name in own) for name in names}
    left, top, wide, high, most = 50, 20, 480, 300, math.log10(100)
    parts = []
    for k, (solver, own) in enumerate(solved.items()):
        ratios = sorted(own[name] / best[name] for name in names if name in own)
        x, y, path = left, top + high, ""
        for count, ratio in enumerate(ratios, 1):
            at = left + wide * min(math.log10(ratio) / most, 1)
            path += f"H{at:.1f}" if path else f"M{left} {y}H{at:.1f}"
            y = top + high * (1 - count / len(TESTING_PROBLEMS))
            path += f"V{y:.1f}"
        colour = f"hsl({360 * k / len(solved):.0f} 65% 45%)"
        dash = "" if solver.startswith("descend") else ' stroke-dasharray="4 3"'
        parts.append(f'<path d="{path}H{left + wide}" stroke="{colour}"{dash}/>')
        x, y = left + wide + 16, top + 14 + 22 * k
        parts.append(f'<path d="M{x} {y - 4}h22" stroke="{colour}"{dash}/>')
        parts.append(f'<text x="{x + 28}" y="{y}">{solver}</text>')
    for tau in (1, 2, 5, 10, 20, 50, 100):
        x = left + wide * math.log10(tau) / most
        parts.append(f'<path class="g" d="M{x:.1f} {top}v{high}"/><text x="{x:.1f}" y="{top + high + 18}" '
                     f'text-anchor="middle">{tau}</text>')  # fmt: skip
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = top + high * (1 - share)
        parts.append(f'<path class="g" d="M{left} {y}h{wide}"/><text x="{left - 8}" y="{y + 4}" '
                     f'text-anchor="end">{share:.0%}</text>')  # fmt: skip
    said = "evaluations until a minimum is met, as a multiple of the best method&apos;s"
    parts.append(f'<text x="{left + wide / 2}" y="{top + high + 38}" text-anchor="middle">{said}</text>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 370" role="img" font-size="13" '
        'font-family="system-ui, sans-serif"><style>path{fill:none;stroke-width:1.8}'
        ".g{stroke:#8a939b;stroke-opacity:.3;stroke-width:1}text{fill:#7a838b}</style>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
