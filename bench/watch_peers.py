"""What other tools say of the programs of the corpus, beside `descend corpus score`.

    pip install training-doctor mldoct
    python bench/watch_peers.py [--half aside|tuning|all] [--jobs N]

`training-doctor` (0.1.0) is given what its page asks for, at every step: loss, learning rate, gradient norm,
and the loss of evaluations where a loss function was called without gradients. `mldoctor check` (mldoct
1.0.0) reads the program's text; its remarks on speed and memory are left out. A name of theirs counts as
right for any of the causes it can mean (`MEANS`), so the comparison favours them. `torchinstruments` (0.10.2)
records and has no diagnoses: nothing to compare.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "corpus"))

MEANS: dict[str, tuple[str, ...]] = {
    "lr_too_high": ("learning-rate-too-high", "exploding-gradients"),
    "lr_too_low": ("learning-rate-too-low",),
    "plateau": ("underfitting", "learning-rate-too-low", "learning-rate-decayed-to-zero"),
    "overfitting": ("overfitting",),
    "gradient_instability": ("exploding-gradients", "not-finite", "vanishing-gradients"),
    "missing_zero_grad": ("missing-zero-grad",),
    "double_softmax": ("softmax-before-cross-entropy",),
    "missing_eval": ("evaluating-in-train-mode",),
}

RECORDING = """
import json, runpy, sys, io, contextlib, warnings
import torch, torch.nn.functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook
warnings.simplefilter("ignore")
rows, last, evals = [], [None], []
plain = torch.autograd.backward
def backward(tensors, *args, **kwargs):
    loss = tensors if isinstance(tensors, torch.Tensor) else tensors[0]
    last[0] = float(loss.detach().float().mean())
    return plain(tensors, *args, **kwargs)
torch.autograd.backward = backward
def step(optimizer, args, kwargs):
    ps = [p for g in optimizer.param_groups for p in g["params"]]
    gs = [p.grad.detach().norm() for p in ps if p.grad is not None and not p.grad.is_sparse]
    norm = float(torch.stack(gs).norm()) if gs else 0.0
    rows.append([last[0], float(optimizer.param_groups[0].get("lr", 0)), norm, evals[-1] if evals else None])
    evals.clear()
register_optimizer_step_pre_hook(step)
def heard(f):
    def g(*args, **kwargs):
        out = f(*args, **kwargs)
        if not torch.is_grad_enabled() and isinstance(out, torch.Tensor) and out.numel() == 1:
            evals.append(float(out))
        return out
    return g
for name in ("cross_entropy", "mse_loss", "binary_cross_entropy_with_logits", "nll_loss", "l1_loss"):
    setattr(F, name, heard(getattr(F, name)))
sys.argv = [sys.argv[1]]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
with contextlib.redirect_stdout(io.StringIO()):
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except BaseException:
        pass
print(json.dumps(rows))
"""


def training_doctor(rows: list[list[float | None]]) -> list[str]:
    """Return what training-doctor warns of, the surest first."""
    from training_doctor import Doctor  # pyright: ignore

    doctor = Doctor()
    doctor.set_auto_print(False)
    found: dict[str, float] = {}
    for step, (loss, lr, norm, evaluation) in enumerate(rows):
        if loss is None:
            continue
        more = {} if evaluation is None else {"eval_loss": evaluation}
        for one in doctor.log(step=step, loss=loss, train_loss=loss, lr=lr, grad_norm=norm, **more):
            found[one.detector_name] = max(found.get(one.detector_name, 0.0), one.confidence)
    for one in doctor.analyze():
        found[one.detector_name] = max(found.get(one.detector_name, 0.0), one.confidence)
    return sorted(found, key=lambda name: -found[name])


def mldoctor(path: Path) -> list[str]:
    """Return what mldoctor's reading of a program warns of."""
    from mldoctor.linter import lint_script  # pyright: ignore

    issues, _ = lint_script(str(path))
    return [x["type"] for x in issues if x["severity"] in ("WARNING", "CRITICAL") and x["type"] in MEANS]


def recorded(path: Path) -> list[list[float | None]]:
    """Run a program, and return (loss, rate, gradient's norm, evaluation's loss) of every step."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RECORDING, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else []


def right(names: Iterable[str], causes: set[str]) -> bool:
    """Whether any of these names can mean one of the causes."""
    return any(causes & set(MEANS.get(name, ())) for name in names)


def main() -> None:
    """Print the table."""
    from programs import programs, set_aside  # pyright: ignore

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--half", choices=["aside", "tuning", "all"], default="aside")
    parser.add_argument("--jobs", type=int, default=1, help="programs that run at the same time")
    given = parser.parse_args()
    half = given.half
    counts = {name: {"first": 0, "three": 0, "alarms": 0} for name in ("training-doctor", "mldoctor check")}
    faulty = healthy = 0
    chosen = [p for p in programs() if half == "all" or set_aside(p.name) == (half == "aside")]
    with ThreadPoolExecutor(given.jobs) as pool:
        ran = list(pool.map(recorded, [p.path for p in chosen]))
    for program, rows in zip(chosen, ran, strict=True):
        said = {
            "training-doctor": training_doctor(rows),
            "mldoctor check": mldoctor(program.path),
        }
        faulty, healthy = faulty + bool(program.cause), healthy + (not program.cause)
        causes = {program.cause, *program.also} if program.cause else set()
        for name, found in said.items():
            counts[name]["first"] += right(found[:1], causes)
            counts[name]["three"] += right(found[:3], causes)
            counts[name]["alarms"] += not program.cause and bool(found)
        print(f"{program.kind:8}{program.name:36}{program.cause or '':30}{said}", flush=True)
    print(f"\n{'':20}{'first':>8}{'three':>8}{'false alarms':>14}   ({faulty} faulty, {healthy} healthy)")
    for name, found in counts.items():
        rates = found["first"] / faulty, found["three"] / faulty, found["alarms"] / healthy
        print(f"{name:20}{rates[0]:8.1%}{rates[1]:8.1%}{rates[2]:14.1%}")


if __name__ == "__main__":
    main()
