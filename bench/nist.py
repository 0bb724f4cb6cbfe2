"""Digits of the certified values that each method reaches on NIST's nonlinear regressions, from both starts.

    pip download lmfit --no-deps --no-binary :all: && tar xzf lmfit-*.tar.gz
    python bench/nist.py lmfit-*/NIST_STRD

27 data sets of the Statistical Reference Datasets, whose files hold model, data, two starts and certified
parameters and standard deviations to eleven digits; the files come with lmfit's source. Digits are the log
relative error, −log₁₀(|found − certified| / |certified|), of the worst parameter, at most 11.
"""

import argparse
import json
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from descend.functions.formula import Formula


@dataclass
class Regression:
    """One file: its model, data and certified values."""

    name: str
    formula: Formula
    columns: dict[str, torch.Tensor]
    starts: list[list[float]]
    certified: list[float]
    deviations: list[float]
    residual_squares: float
    level: str

    @property
    def y(self) -> torch.Tensor:
        """What the formula is to give."""
        return self.formula.target(self.columns)


def read(file: Path) -> Regression:
    """Read one of NIST's files."""
    text = file.read_text(encoding="latin-1")
    lines = text.splitlines()
    rows = re.findall(r"^\s*b(\d+)\s*=\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$", text, re.M)
    numbers = [[float(value) for value in row[1:]] for row in rows]
    model = re.split(r"Starting [Vv]alues\s+Certified", text[text.index("Model:") :])[0]
    equation = re.search(r"^\s*((?:log\[)?y\]?\s*=.*?)\+\s*e\s*$", model, re.S | re.M)
    assert equation, file
    line = " ".join(equation[1].split())
    header = [k for k, one in enumerate(lines) if one.startswith("Data:")][-1]
    names = lines[header].removeprefix("Data:").split()
    data = [one.split() for one in lines[header + 1 :] if one.strip()]
    table = torch.tensor([[float(value) for value in row] for row in data], dtype=torch.float64)
    squares = re.search(r"Residual Sum of Squares:\s+(\S+)", text)
    level = re.search(r"(Lower|Average|Higher) Level", text)
    assert squares and level
    return Regression(
        file.stem,
        Formula(line, names),
        dict(zip(names, table.T, strict=True)),
        [[row[0] for row in numbers], [row[1] for row in numbers]],
        [row[2] for row in numbers],
        [row[3] for row in numbers],
        float(squares[1]),
        level[1],
    )


def digits(found, certified) -> float:
    """Return the digits of the worst number."""
    worst = 11.0
    for a, b in zip(found, certified, strict=True):
        if not math.isfinite(a):
            return 0.0
        error = abs(a - b) / abs(b) if b else abs(a)
        worst = min(worst, 11.0 if error == 0 else -math.log10(error))
    return max(0.0, worst)


class Asked:
    """A regression as functions of a NumPy vector, which count how often they are asked."""

    def __init__(self, one: Regression):
        self.one, self.y = one, one.y
        self.order = sorted(one.formula.parameters, key=lambda name: int(name[1:]))
        self.asked = 0

    def residuals(self, w: torch.Tensor) -> torch.Tensor:
        """Return f(x) − y."""
        values = {**self.one.columns, **dict(zip(self.order, w.unbind(), strict=True))}
        return self.one.formula(values) - self.y

    def numpy(self, w: np.ndarray) -> np.ndarray:
        """Return the residuals."""
        self.asked += 1
        return self.residuals(torch.from_numpy(np.array(w))).numpy()

    def jacobian(self, w: np.ndarray) -> np.ndarray:
        """Return their derivatives (m, n)."""
        return torch.func.jacfwd(self.residuals)(torch.from_numpy(np.array(w))).numpy()

    def value(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the sum of squares and its gradient."""
        self.asked += 1
        x = torch.from_numpy(np.array(w)).requires_grad_()
        loss = self.residuals(x).square().sum()
        (g,) = torch.autograd.grad(loss, x)
        return loss.item(), g.numpy()


Found = tuple[list[float], list[float] | None, int]
"""Parameters, standard errors where the method gives them, evaluations."""


def ours(method: str):
    def solve(one: Regression, start: list[float]) -> Found:
        import descend

        asked = Asked(one)
        fit = descend.curve_fit(
            lambda x, *p: one.formula({**one.columns, **dict(zip(asked.order, p, strict=True))}),
            0.0, one.y, start, method=method, steps=5000,
        )  # fmt: skip
        return fit.parameters.tolist(), fit.errors.tolist(), fit.evaluations

    return solve


def scipy_squares(method: str):
    def solve(one: Regression, start: list[float]) -> Found:
        from scipy.optimize import least_squares

        asked = Asked(one)
        scale = {"x_scale": "jac"}
        found = least_squares(
            asked.numpy, start, asked.jacobian, method=method, ftol=1e-15, xtol=1e-15, gtol=1e-15,
            max_nfev=20000, **scale,
        )  # fmt: skip
        return found.x.tolist(), None, asked.asked

    return solve


def scipy_minimize(method: str, options: dict[str, float]):
    def solve(one: Regression, start: list[float]) -> Found:
        from scipy.optimize import minimize

        asked = Asked(one)
        found = minimize(asked.value, start, jac=True, method=method, options=options)
        return found.x.tolist(), None, asked.asked

    return solve


def torch_lbfgs(one: Regression, start: list[float]) -> Found:
    asked = Asked(one)
    w = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    method = torch.optim.LBFGS(
        [w], max_iter=5000, max_eval=20000, tolerance_grad=1e-15, tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> torch.Tensor:
        asked.asked += 1
        method.zero_grad()
        loss = asked.residuals(w).square().sum()
        loss.backward()
        return loss

    method.step(closure)
    return w.tolist(), None, asked.asked


def pytorch_minimize(one: Regression, start: list[float]) -> Found:
    from torchmin import least_squares

    asked = Asked(one)
    found = least_squares(
        asked.residuals, torch.tensor(start, dtype=torch.float64), method="trf",
        ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=2000,
    )  # fmt: skip
    return found.x.tolist(), None, int(found.nfev)


SOLVERS = {
    "descend lm": ours("lm"),
    "descend gaussnewton": ours("gaussnewton"),
    "descend newton": ours("newton"),
    "descend lbfgs": ours("lbfgs"),
    "scipy trf, scaled": scipy_squares("trf"),
    "scipy lm (MINPACK)": scipy_squares("lm"),
    "scipy BFGS": scipy_minimize("BFGS", {"gtol": 1e-15, "maxiter": 20000}),
    "scipy L-BFGS-B": scipy_minimize(
        "L-BFGS-B", {"ftol": 0.0, "gtol": 1e-15, "maxiter": 20000, "maxfun": 20000}
    ),
    "pytorch-minimize trf": pytorch_minimize,
    "torch.optim.LBFGS": torch_lbfgs,
}


def main() -> None:
    """Solve all with every method and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="NIST_STRD of lmfit's source")
    parser.add_argument("--only", nargs="+", choices=list(SOLVERS), default=list(SOLVERS))
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--each", action="store_true", help="print the digits of every data set")
    options = parser.parse_args()
    regressions = [read(file) for file in sorted(options.folder.glob("*.dat"))]
    cases = [(one, start) for one in regressions for start in one.starts]
    print(f"{len(cases)} fits; torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    titles = ("≥ 4 digits", "≥ 6", "≥ 9", "median", "errors ≥ 6", "evaluations", "seconds")
    print(f"{'':22}" + "".join(f"{title:>12}" for title in titles))
    rows = []
    for name in options.only:
        reached, errors, asked, began = [], [], [], time.perf_counter()
        for one, start in cases:
            try:
                found, deviations, count = SOLVERS[name](one, start)
            except Exception as error:  # a peer's own: it did not solve this one
                found, deviations, count = [math.nan] * len(start), None, 0
                if options.each:
                    print(f"  {one.name}: {type(error).__name__}: {error}")
            reached.append(digits(found, one.certified))
            asked.append(count)
            if deviations is not None:
                errors.append(digits(deviations, one.deviations))
            if options.each:
                of_errors = f"{errors[-1]:8.1f}" if deviations is not None else ""
                print(f"  {name:20} {one.name:10} {reached[-1]:6.1f}{of_errors} {count:6}")
        seconds = time.perf_counter() - began
        counts = [sum(value >= least for value in reached) for least in (4, 6, 9)]
        sure = f"{sum(value >= 6 for value in errors)}" if errors else ""
        rows.append({"name": name, "digits": reached, "digits of errors": errors, "evaluations": asked})
        median = sorted(reached)[len(reached) // 2]
        print(
            f"{name:22}" + "".join(f"{count:12}" for count in counts)
            + f"{median:12.1f}{sure:>12}{sorted(asked)[len(asked) // 2]:12}{seconds:12.1f}",
            flush=True,
        )  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
