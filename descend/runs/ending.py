"""How a run ends: the best parameters, what they reach, and a sentence."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from descend.descent.curve_fit import covariance_of, residuals
from descend.descent.descent import Descent
from descend.descent.outcome import Outcome
from descend.descent.until import Until
from descend.functions.problem import Calibrated, Estimated, Examined, Problem
from descend.runs.run import Run


def now() -> str:
    """Return the time, to the second, as ISO 8601 writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def finish(problem: Problem, descent: Descent, run: Run, outcome: Outcome, until: Until) -> None:
    """Write the result: the best parameters, the figures, how it ended.

    Args:
        problem: what was minimised.
        descent: that ended; it is only read.
        run: takes it all.
        outcome: how it ended.
        until: what was to end it.
    """
    function = descent.result()
    figures: dict[str, float] = {}
    validation = descent.best["validation"] if descent.best and problem.validation else descent.validation
    for name, value in validation.items():
        figures[f"{name}/validation"] = value
    if problem.test is not None and outcome is not Outcome.INTERRUPTED:
        for name, value in problem.evaluate(function, problem.test).items():
            figures[f"{name}/test"] = value
    metrics = {k: v for k, v in figures.items() if k != "loss/validation"}
    metric = problem.metric
    if metric is not None:
        for part in ("test", "validation"):  # the headline: what was looked at least
            if f"{metric.name}/{part}" in figures:
                metrics = {metric.name: figures[f"{metric.name}/{part}"], **metrics}
                break
    reader = problem.reader
    if isinstance(reader, Calibrated) and problem.validation is not None:
        reader = reader.calibrated(function, problem.validation)
        run.write(reader=reader.to_json())
    if isinstance(reader, Examined) and problem.test is not None and outcome is not Outcome.INTERRUPTED:
        more = reader.figures(function, problem.test)
        metrics |= {f"{name}/test": value for name, value in more.items()}
    if isinstance(reader, Estimated) and not (descent.never_climbs and outcome is not Outcome.NOT_FINITE):
        run.write(estimates=reader.estimates(function))
    elif isinstance(reader, Estimated):
        r, J = residuals(descent)
        if len(r) > J.shape[1]:
            metrics["residual-deviation"] = math.sqrt(float(r @ r) / (len(r) - J.shape[1]))
        sure = reader.estimated(covariance_of(r, J))
        run.write(reader=sure.to_json(), estimates=sure.estimates(function))
    values = function.state_dict()
    run.attach(function)
    run.save_parameters({k: v for k, v in values.items() if isinstance(v, Tensor)})
    run.write(
        finished=None if outcome is Outcome.INTERRUPTED else now(),
        outcome={"name": outcome.value, "sentence": _sentence(descent, outcome, until, figures)},
        steps=descent.steps,
        epochs=descent.epochs if problem.has_data else None,
        seconds=descent.seconds,
        loss=descent.loss,
        validation_loss=figures.get("loss/validation"),
        best_step=descent.best["step"] if descent.best else None,
        metrics=metrics,
        parameters=_parameter_table(problem, function),
    )


def _parameter_table(problem: Problem, function: torch.nn.Module) -> list[dict[str, Any]]:
    start = dict(problem.function.named_parameters())
    rows = []
    for name, p in function.named_parameters():
        norm = float(torch.linalg.vector_norm(p.detach().double()))
        before = start[name].detach().to(p.device).double()
        moved = float(torch.linalg.vector_norm(p.detach().double() - before))
        was = float(torch.linalg.vector_norm(before))
        rows.append(
            {
                "name": name,
                "shape": list(p.shape),
                "count": p.numel(),
                "norm": norm,
                "moved": moved,
                "moved_relative": moved / was if was > 0 else None,
            }
        )
    return rows


def _given(descent: Descent, until: Until) -> str:
    if until.seconds is None or descent.end_by >= until.seconds:
        return "the time it was given"
    return f"of the {until.seconds:g} s it was given, to try remedies in the rest"


def _sentence(descent: Descent, outcome: Outcome, until: Until, figures: Mapping[str, float]) -> str:
    """Say in one sentence how it ended and what came of it."""
    steps = f"{descent.steps:,} step" + ("" if descent.steps == 1 else "s")
    head = {
        Outcome.MINIMUM: f"Reached a minimum after {steps}: gradient below {until.gradient_norm or 0:g}",
        Outcome.SATISFIED: f"Reached its goal after {steps}",
        Outcome.OUT_OF_STEPS: f"Took the {steps} it was given",
        Outcome.OUT_OF_TIME: f"Stopped after {descent.seconds:.1f} s, {_given(descent, until)}",
        Outcome.NO_MORE_PROGRESS: f"Stopped after {steps}, with no progress in {until.patience} evaluations",
        Outcome.DIVERGED: f"Diverged after {steps}, probably from too high a learning rate",
        Outcome.NOT_FINITE: f"Stopped at step {descent.steps + 1:,}: the loss was no longer a finite number",
        Outcome.INTERRUPTED: f"Interrupted after {steps}; the state is saved",
    }[outcome]
    if descent.ended is not None:
        head = f"{head.partition(':')[0] if outcome is Outcome.MINIMUM else f'Stopped after {steps}'}"
    first, last = descent.first_loss, descent.loss
    if math.isfinite(first) and math.isfinite(last):
        verb = "fell" if last < first else "rose" if last > first else "stayed"
        head += f"; the loss {verb} from {first:.4g} to {last:.4g}" if verb != "stayed" else ""
    more = [descent.ended.why] if descent.ended is not None else []
    return " ".join([head + ".", *more, *filter(None, [descent.settings.why])])
