"""Average precision, counts and calibration of `descend fit DIR`, a folder of boxes with a test part.

    python bench/detection.py DIR [--seconds 1800] [--seeds 3] [--json FILE]

All figures are the run's own, of the test part, looked at once. The last lines hold two functions, trained
from different seeds, against each other as the test holds one against the labels: where they agree with each
other much better than with the labels, what is left of the error is the labels'.
"""

import argparse
import json
import platform
import tempfile
from itertools import combinations
from pathlib import Path

import torch
from real_data import fit

import descend
from descend.applications.detection import detection_problem
from descend.functions.detections import DetectionReader


def counts(run: descend.Run, problem: descend.Problem) -> torch.Tensor:
    """Return how many objects of each class a run counts in each test picture, (pictures, classes)."""
    reader, test = run.reader, problem.test
    assert isinstance(reader, DetectionReader) and test is not None
    return torch.tensor([reader.expected(own) for own, _ in reader.seen(run.model, test)])


def main() -> None:
    """Train for every seed and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} threads")
    rows, runs = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(options.seeds):
            words = ("--seconds", f"{options.seconds:g}", "--seed", str(seed), "--prove", "0")
            folder = Path(temporary) / f"run-{seed}"
            found, took = fit(str(options.folder), *words, folder=folder)
            runs.append(descend.Run.open(folder))
            figures = {k.removesuffix("/test"): v for k, v in found["metrics"].items() if k.endswith("/test")}
            rows.append({"seed": seed, "steps": found["steps"], "seconds": took, **figures})
            if seed == 0:
                names = [name for name in figures if name != "loss"]
                print(f"{'seed':>4}{'steps':>7}{'seconds':>9}" + "".join(f"{n:>24}" for n in names))
            values = "".join(f"{figures[name]:24.3f}" for name in names)
            print(f"{seed:4}{found['steps']:7}{took:9.0f}" + values, flush=True)
        problem = detection_problem(options.folder)
        told = [counts(run, problem).double() for run in runs]
        for (a, one), (b, other) in combinations(enumerate(told), 2):
            apart = (one - other).abs().sum(0) / ((one + other) / 2).sum(0)
            said = ", ".join(
                f"{n} {v:.3f}" for n, v in zip(runs[0].reader.classes, apart.tolist(), strict=True)
            )
            print(f"counts of seeds {a} and {b} lie apart by: {said}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
