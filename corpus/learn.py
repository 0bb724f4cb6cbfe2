"""Learns how everything that is noticed of a run weighs for each cause: writes the model of `descend watch`.

    python corpus/learn.py [--jobs N] [--keep FOLDER]

It watches the programs of the tuning half and of `practice/` as they are, the faulty ones also in their
sound form, and sound ones with faults edited into them (`edits.py`). What is set aside has no part in it.
What was seen is kept in FOLDER, where that is given: what is there is not watched again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from check import ONLY_VISIBLY, clearly_better
from edits import KINDS, edited
from programs import HERE, Program, practice, programs, repaired, set_aside
from sklearn.linear_model import LogisticRegression

from descend.diagnosing.causes import CAUSES
from descend.diagnosing.detectors import suspicions
from descend.diagnosing.scoring_proofs import metric_of
from descend.diagnosing.signs import SIGNS, values
from descend.diagnosing.weighing import SOUND, inputs
from descend.watching.script import watched

TABLE = HERE.parent / "descend" / "diagnosing" / "weights.json"
TIMEOUT = 180
STRENGTH = 0.03
"""Of the fit: the inverse of the penalty on squared weights."""
QUANTILES = 200
"""How many of a sign's values in sound runs are kept at most."""
CLASSES = (*CAUSES, SOUND)


@dataclass
class Row:
    """One run that was watched.

    Attributes:
        causes: what is wrong with it; empty of a sound run.
        signs: by name.
        suspicions: (cause, confidence) of detectors.
    """

    causes: tuple[str, ...]
    signs: dict[str, float]
    suspicions: list[tuple[str, float]]


def see(path: Path, into: Path) -> None:
    """Watch a script, and keep what was seen and the metric that it printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        seen = watched(path, [])
    part = into.with_suffix(".part")  # of what cannot be kept nothing remains
    torch.save((seen, metric_of(said.getvalue())), part)
    part.replace(into)


def see_all(scripts: dict[str, str], folder: Path, jobs: int) -> None:
    """Watch scripts, each in a process of its own, but for those that were watched already."""

    def one(item: tuple[str, str]) -> None:
        name, text = item
        path = folder / f"{name}.py"
        if path.with_suffix(".pt").exists():
            return
        path.write_text(text, encoding="utf-8")
        command = [sys.executable, "-W", "ignore", __file__, "--one", str(path)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        try:
            subprocess.run(command, env=environment, capture_output=True, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            print(f"{name}: it took too long", file=sys.stderr)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, scripts.items()))


def row(path: Path, causes: tuple[str, ...]) -> Row | None:
    """Return what was seen of a script; nothing where it took no step."""
    if not path.exists():
        return None
    seen, _ = torch.load(path, weights_only=False)
    if not seen.steps:
        return None
    found = [(s.cause, s.confidence) for s in suspicions(seen)]
    return Row(causes, values(seen), found)


def harmed(program: Program, cause: str, edited: Path, sound: Path) -> bool:
    """Whether an edit made a program clearly worse, and did not just break it."""
    if not (edited.exists() and sound.exists()):
        return False
    (seen, metric), (_, before) = (torch.load(p, weights_only=False) for p in (edited, sound))
    if not math.isfinite(metric) and seen.ended != "finished" and "inite" not in seen.ended:
        return False
    return clearly_better(metric, before, program.higher_is_better, cause in ONLY_VISIBLY)


def rows(chosen: list[Program], folder: Path, jobs: int) -> Iterable[Row]:
    """Watch all that there is to learn from."""
    sound = {p.name: repaired(p) if p.kind == "faulty" else p.path.read_text() for p in chosen}
    plain = {p.name: p.path.read_text() for p in chosen}
    see_all(plain, folder, jobs)
    see_all({f"{p.name}__sound": sound[p.name] for p in chosen if p.kind == "faulty"}, folder, jobs)
    see_all({f"{name}__{kind}": text for name, kind, _, text in edited(sound)}, folder, jobs)
    own = {p.name: p for p in chosen}
    for p in chosen:
        causes = (p.cause, *p.also) if p.cause else ()
        yield from filter(None, [row(folder / f"{p.name}.pt", causes)])
        if p.kind == "faulty":
            yield from filter(None, [row(folder / f"{p.name}__sound.pt", ())])
    for path in sorted(folder.glob("*__*.pt")):  # those too that were edited when the choice was another one
        name, _, kind = path.stem.partition("__")
        if name not in own or kind not in KINDS:
            continue
        before = folder / (f"{name}__sound.pt" if own[name].kind == "faulty" else f"{name}.pt")
        cause = KINDS[kind][0]
        if harmed(own[name], cause, path, before):
            yield from filter(None, [row(path, (cause,))])


def table(found: list[Row]) -> dict[str, list[float]]:
    """Return each sign's values in sound runs, sorted, or so many quantiles of them."""
    known = {}
    for sign in SIGNS:
        own = [r.signs[sign.name] for r in found if not r.causes]
        own = sorted(v for v in own if math.isfinite(v))
        if len(own) > QUANTILES:
            own = [own[round(i)] for i in np.linspace(0, len(own) - 1, QUANTILES)]
        known[sign.name] = [float(f"{v:.4g}") for v in own]
    return known


def fit(found: list[Row], strength: float = STRENGTH) -> tuple[dict[str, list[float]], torch.Tensor]:
    """Fit the model.

    Returns:
        (what is known of sound runs, weights of shape (classes, 1 + inputs) with the bias first)
    """
    known = table(found)
    x = torch.stack([inputs(known, r.signs, r.suspicions) for r in found]).numpy()
    y = np.array([CLASSES.index(r.causes[0] if r.causes else SOUND) for r in found])
    counts = np.bincount(y, minlength=len(CLASSES))
    share = (1 / np.maximum(counts, 1))[y]  # each class weighs the same
    model = LogisticRegression(C=strength, max_iter=1000).fit(x, y, sample_weight=share / share.mean())
    weights = torch.zeros(len(CLASSES), 1 + x.shape[1], dtype=torch.float64)
    weights[:, 0] = -30.0  # what there was no run of
    weights[model.classes_, 0] = torch.from_numpy(model.intercept_)
    weights[model.classes_, 1:] = torch.from_numpy(model.coef_)
    return known, weights


def main() -> None:
    """Watch all of them, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        see(options.one, options.one.with_suffix(".pt"))
        return
    chosen = [p for p in programs() if not set_aside(p.name)] + practice()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True, parents=True)
        found = list(rows(chosen, folder, options.jobs))
    known, weights = fit(found)
    told = {name: [float(f"{v:.3g}") for v in w] for name, w in zip(CLASSES, weights.tolist(), strict=True)}
    TABLE.write_text(json.dumps({"programs": len(found), "known": known, "weights": told}) + "\n")
    faulty = sum(bool(r.causes) for r in found)
    size = f"{weights.shape[1] - 1} inputs"
    print(f"{faulty} faulty and {len(found) - faulty} sound runs, {size}: {TABLE.name}")


if __name__ == "__main__":
    main()
