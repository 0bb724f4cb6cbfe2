"""Runs as reports meet them: whole, failed, cut off, empty, hostile."""

import math
import random
from dataclasses import dataclass, field
from pathlib import Path

from descend.descent.record import Record
from descend.descent.record_file import write_findings

NAN, INF = math.nan, math.inf
HOSTILE = "</script><img src=x onerror=\"document.documentElement.dataset.error='owned'\"><!--&'\""


@dataclass
class FakeRun:
    """What a report reads of a run, without the rest of it."""

    folder: Path
    facts: dict
    recorded: dict = field(default_factory=dict)

    def series(self):
        return list(self.recorded)

    def metrics(self, name):
        return self.recorded[name]


def digits_facts(**changes):
    sizes = [("0.weight", [48, 64]), ("0.bias", [48]), ("2.weight", [48, 48]), ("2.bias", [48])]
    sizes += [("4.weight", [10, 48]), ("4.bias", [10])]
    parameters = [
        {
            "name": name,
            "shape": shape,
            "count": math.prod(shape),
            "norm": 1.3 * math.sqrt(math.prod(shape)) / 7,
            "moved": 0.9 * math.sqrt(math.prod(shape)) / (9 - i),
            "moved_relative": 0.31 + 0.17 * i,
        }
        for i, (name, shape) in enumerate(sizes)
    ]
    facts = {
        "format": 1,
        "descend": "0.1.0",
        "name": "digits",
        "target": "digits",
        "command": "descend fit digits --seconds 15",
        "started": "2026-11-23T10:00:00+00:00",
        "finished": "2026-11-23T10:00:15.2+00:00",
        "outcome": {
            "name": "out of time",
            "sentence": "Stopped after 15.0 s, the time it was given; the loss fell from 2.31 to 0.012.",
        },
        "method": "adamw",
        "hyperparameters": {"lr": 0.003, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01},
        "settings": {
            "batch_size": 64,
            "schedule": "cosine",
            "warmup": 0.02,
            "clip": 1.0,
            "accumulate": 1,
            "seed": 0,
            "until": {"steps": None, "seconds": 15.0, "loss": None},
            "threads": 1,
            "device": "cpu",
        },
        "steps": 20000,
        "epochs": 1221.4,
        "seconds": 14.97,
        "loss": 0.01187,
        "validation_loss": 0.0702,
        "best_step": 11500,
        "metrics": {"accuracy": 0.9833, "accuracy/validation": 0.98667, "accuracy/test": 0.98331},
        "function": "Network",
        "loss_name": "cross_entropy",
        "metric": {"name": "accuracy", "larger_is_better": True},
        "parameters": parameters,
        "count": sum(p["count"] for p in parameters),
        "data": {
            "source": "scikit-learn: digits",
            "kind": "pictures",
            "rows": 1797,
            "classes": [str(d) for d in range(10)],
            "sha256": "5eb1d8d2e1c0b5a4f6c7e8d9a0b1c2d3e4f5061728394a5b6c7d8e9f00112233",
            "examples/train": 1048,
            "examples/validation": 150,
            "examples/test": 599,
        },
        "reader": {"kind": "table"},
        "problem": None,
        "versions": {"python": "3.11.7", "torch": "2.13.0", "descend": "0.1.0"},
        "machine": {"system": "Linux 6.1", "processor": "x86_64", "cores": 2, "memory(GiB)": 23.5},
        "notes": ["1 thread: a step takes 0.3 ms, too short to share"],
    }
    return facts | changes


def digits_series(steps=20000):
    """A descent as it is recorded: every step up to 10,000, then every tenth; noisy batches, spikes."""
    r = random.Random(0)
    at = [*range(1, min(steps, 10000) + 1), *range(10010, steps + 1, 10)]
    evaluated = list(range(0, steps + 1, max(1, steps // 80)))

    def mean(s):
        return 0.012 + 2.3 * math.exp(-s / (0.02 * steps)) + 0.25 * math.exp(-s / (0.12 * steps))

    def lr(s):
        warm = 0.02 * steps
        return 0.003 * (s / warm if s < warm else 0.5 + 0.5 * math.cos(math.pi * (s - warm) / (steps - warm)))

    loss = [mean(s) * math.exp(r.gauss(0, 0.35)) for s in at]
    for spike in range(700, len(at), 2311):
        loss[spike] *= 9
    validation = [mean(s) + 0.05 + 0.012 * (s / steps) ** 2 + 0.004 * r.random() for s in evaluated]
    return {
        "accuracy/validation": (evaluated, [1 - 0.3 * v**0.9 - 0.004 * r.random() for v in validation]),
        "gradient/norm": (at, [(0.2 + 1.6 * mean(s)) * math.exp(r.gauss(0, 0.3)) for s in at]),
        "learning-rate": (at, [lr(s) for s in at]),
        "loss": (at, loss),
        "loss/validation": (evaluated, validation),
        "time/elapsed(s)": (at[::50], [s * 15 / steps + 0.4 * math.sin(s / steps * 3) for s in at[::50]]),
        "update/ratio": (at, [(1e-6 + 2.2 * lr(s)) * math.exp(r.gauss(0, 0.15)) for s in at]),
    }


EVENT_ROWS = [
    (0, 0.0, "start", "1,048 examples, 64 a step; seed 0"),
    (0, 0.31, "threads", "1 thread chosen by measuring: 0.29 ms a step, against 0.41 ms on 2"),
    (11500, 8.7, "best", "validation loss 0.0702"),
    (20000, 14.97, "end", "out of time"),
]


def finished(folder):
    """A whole run: noisy, long, with validation, a test, clipping, notes and events."""
    run = FakeRun(folder, digits_facts(), digits_series())
    with_events(folder, EVENT_ROWS)
    return run


def with_events(folder, rows):
    record = Record(folder / "record.db")
    for row in rows:
        record.event(*row)
    record.close()


def finding(cause, severity="warning", confidence=0.9, tried=(), **changes):
    """A finding as a record gives it."""
    known = {
        "cause": cause,
        "severity": severity,
        "confidence": confidence,
        "evidence": "A step moves weights by 24% of their size; the loss went from 2.335 to 2.308.",
        "remedy": "Divide the learning rate by 3 to 10, or warm it up.",
        "effect": None,
        "where": "",
        "step": 518,
        "explains": (),
        "tried": list(tried),
    }
    return known | changes


def experiment(remedy, low, difference, high, verdict, before=2.15):
    """What became of a remedy, as a diagnosis gives it."""
    return {
        "cause": "learning-rate-too-high", "remedy": remedy, "measured": "validation loss", "before": before,
        "after": before + difference, "difference": difference, "low": low, "high": high, "seeds": 4,
        "steps": 371, "broken": [1, 0], "verdict": verdict,
    }  # fmt: skip


WATCHING = {
    "budget": 0.03, "overhead": 0.0213, "seconds": 0.32, "steps": 20000, "windows": 118, "not_measured": [],
    "concluding(s)": 0.21, "proof": {"seconds": 1.31, "given": 1.5, "left_out": []},
}  # fmt: skip


def alarming(folder):
    """A run with findings: proved, tried in vain, worse, not tried, and merely possible ones."""
    proved = [
        experiment("the learning rate divided by 10 (lr 1 → 0.1)", -2.01, -1.95, -1.87, "it helps"),
    ]
    vain = [
        experiment("gradients clipped at norm 1 (clip none → 1)", -0.31, 0.02, 0.35, "it does not help"),
        experiment("torch's default initial values", 0.4, 0.9, 1.4, "it does not help"),
        experiment("momentum 0.9", -0.09, -0.06, -0.03, "it helps too little to be what is wrong"),
    ]
    said = "With the learning rate divided by 10: validation loss 2.15 → 0.20: it helps."
    not_tried = "not tried: which parameters were meant to learn is for a person to say"
    rows = [
        finding("learning-rate-too-high", tried=proved, effect=said, explains=("dead-units", "not-finite")),
        finding("exploding-gradients", "error", 0.71, tried=vain, effect="It does not help.", where="0.net"),
        finding("frozen-parameters", confidence=0.55, effect=not_tried, step=0),
        finding("underfitting", "info", 0.3, effect="not tried: the remedy is proved"),
        finding("label-noise", "info", 0.16),
    ]
    run = FakeRun(folder, digits_facts(watching=WATCHING), digits_series(4000))
    with_events(folder, EVENT_ROWS)
    write_findings(folder / "record.db", rows, 20000)
    return run


def surface(folder):
    """A surface: no data, no validation, no metric, no epochs, deterministic, down to exactly zero."""
    loss = [24.2 * math.exp(-0.013 * s) if s < 2400 else 0.0 for s in range(1, 2501)]
    steps = list(range(1, 2501))
    facts = digits_facts(
        name="rosenbrock",
        target="rosenbrock",
        command="descend fit rosenbrock",
        outcome={
            "name": "minimum",
            "sentence": "Reached a minimum after 2,500 steps: gradient below 1e-08; the loss fell to 0.",
        },
        steps=2500,
        epochs=2500,
        seconds=0.61,
        loss=0.0,
        validation_loss=None,
        best_step=2400,
        metrics={},
        metric=None,
        function="ParameterFunction",
        loss_name="NoneType",
        parameters=[
            {"name": "x", "shape": [2], "count": 2, "norm": 1.4142, "moved": 2.1, "moved_relative": 1.34},
            {"name": "scale", "shape": [], "count": 1, "norm": 1.0, "moved": 1.0, "moved_relative": None},
        ],
        count=3,
        data={},
        reader=None,
        notes=[],
    )
    facts["settings"] |= {"until": {"steps": 10000, "gradient_norm": 1e-8}, "batch_size": None, "clip": None}
    recorded = {
        "loss": (steps, loss),
        "learning-rate": (steps, [0.001] * 2500),
        "gradient/norm": (steps, [math.sqrt(v) * 8 for v in loss]),
        "update/ratio": (steps, [1e-3 * math.sqrt(v) for v in loss]),
    }
    return FakeRun(folder, facts, recorded)


def not_finite(folder):
    """A descent that blew up: huge values, infinities, NaN (which SQLite keeps as NULL, read as None)."""
    steps = list(range(1, 61))
    loss = [2.0 * 1.9 ** (s * s / 14) for s in steps[:52]] + [INF, -INF, NAN, None, NAN, NAN, NAN, NAN]
    facts = digits_facts(
        outcome={"name": "not finite", "sentence": "The loss is not a finite number since step 53."},
        steps=60,
        epochs=3.7,
        seconds=0.04,
        loss=NAN,
        validation_loss=None,
        best_step=1,
        metrics={"accuracy": NAN},
        command="descend fit digits --lr 30",
    )
    facts["hyperparameters"]["lr"] = 30.0
    for p in facts["parameters"]:
        p |= {"norm": NAN, "moved": INF, "moved_relative": NAN}
    recorded = {
        "loss": (steps, loss),
        "learning-rate": (steps, [30.0] * 60),
        "gradient/norm": (steps, [None if v is None else v * 3 for v in loss]),
    }
    return FakeRun(folder, facts, recorded)


def one_step(folder):
    facts = digits_facts(
        outcome={"name": "out of steps", "sentence": "Took the 1 step it was given; the loss is 2.31."},
        steps=1,
        epochs=0.06,
        seconds=0.0008,
        loss=2.31,
        validation_loss=2.29,
        best_step=1,
        command="descend fit digits --steps 1",
    )
    series = {"loss": ([1], [2.31]), "loss/validation": ([1], [2.29]), "learning-rate": ([1], [0.003])}
    return FakeRun(folder, facts, series)


def cut_off(folder):
    """A run that was killed: nothing about its end is known."""
    results = ["finished", "outcome", "steps", "epochs", "seconds", "loss", "validation_loss", "best_step"]
    facts = digits_facts(**dict.fromkeys([*results, "metrics", "parameters"]))
    series = {}
    for name, (steps, values) in digits_series().items():
        so_far = sum(step <= 812 for step in steps)
        series[name] = steps[:so_far], values[:so_far]
    return FakeRun(folder, facts, series)


def interrupted(folder):
    sentence = "Interrupted after 812 steps; its state is saved."
    run = cut_off(folder)
    run.facts |= {"outcome": {"name": "interrupted", "sentence": sentence}, "steps": 812, "seconds": 0.93}
    return run


def nothing(folder):
    """The least that a run can hold."""
    return FakeRun(folder, {"format": 1, "name": "empty"})


def hostile(folder):
    """Names that would break out of a page that trusted them."""
    facts = digits_facts(
        name=HOSTILE,
        command=f"descend fit '{HOSTILE}'",
        target=HOSTILE,
        function=HOSTILE,
        method=HOSTILE,
        loss_name=HOSTILE,
        metric={"name": HOSTILE, "larger_is_better": False},
        notes=[HOSTILE, "a file name that is no text: \udcff"],
        outcome={"name": HOSTILE, "sentence": f"It ended {HOSTILE}"},
    )
    facts["data"] |= {HOSTILE: HOSTILE, "classes": [HOSTILE] * 200, "nested": {HOSTILE: [HOSTILE]}}
    facts["parameters"][0]["name"] = HOSTILE
    facts["settings"]["schedule"] = HOSTILE
    facts["hyperparameters"][HOSTILE] = HOSTILE
    facts["metrics"] = {f"{HOSTILE}/test": 1.0, f"{HOSTILE}/validation": 2.0}
    series = digits_series(500)
    series[f"{HOSTILE}/validation"] = series.pop("accuracy/validation")
    series |= {f"{HOSTILE}{i}": ([1, 2, 3], [1.0, -2.0, 3.0]) for i in range(10)}
    with_events(folder, [(1, 0.5, HOSTILE, HOSTILE)])
    tried = [experiment(HOSTILE, -1e300, 1e-300, 1e300, HOSTILE) | {"measured": HOSTILE, "cause": HOSTILE}]
    tried.append({**tried[0], "low": HOSTILE, "before": None, "steps": HOSTILE})
    words = dict.fromkeys(("evidence", "remedy", "effect", "where"), HOSTILE)
    rows = [finding(HOSTILE, tried=tried, explains=(HOSTILE,), **words), finding(HOSTILE, HOSTILE, **words)]
    write_findings(folder / "record.db", rows, 1)
    facts["watching"] = {**WATCHING, "overhead": HOSTILE, "not_measured": [HOSTILE], "proof": None}
    return FakeRun(folder, facts, series)


RUNS = [finished, alarming, surface, not_finite, one_step, cut_off, interrupted, nothing, hostile]
