"""What `descend fit driving` and `descend fit lane-keeping` reach, beside drivers written by hand.

    python bench/driving.py [--seeds 3] [--drives 100] [--only lane-keeping] [--runs FOLDER] [--json FILE]

Every learned driver is trained from scratch by the command that a person types, and then drives in
highway-env itself, alone on the road, from seeds that neither its training nor the tuning of the others has
seen. The bars: lane-keeping, at most 1% of drives leave the road; racetrack, at least 95% of laps are driven
without leaving it or colliding, and the environment's own reward is above that of a driver by hand who sees
the same.

The drivers by hand are the best of a grid: those that see what the learned one sees of those below, on seeds
900 to 904 (`--tune`, slow on the track); highway-env's own, tuned, of 80 settings on 128 simulated laps.
Other flags are given to `descend fit`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from descend import Descent, Run, Until
from descend.functions.controllers import by_sight, by_the_environment, stanley
from descend.functions.driver import Drive
from descend.functions.driving import at_the_wheel, summary
from descend.functions.environments import Driven, Steer, drive, opened, simulated

TARGETS = {"lane-keeping": "lane-keeping", "racetrack": "driving"}
BY_HAND: dict[str, dict[str, Callable[[], Steer]]] = {
    "lane-keeping": {"Stanley, sees the same": stanley},
    "racetrack": {
        "pure pursuit, sees the same": by_sight,
        "highway-env's own, knows where it is": by_the_environment,
        "the same, tuned": lambda: by_the_environment(0.3, 0.3, 0.1),
    },
}
GRIDS: dict[str, tuple[Callable[..., Steer], list[Iterable[float]]]] = {
    "lane-keeping": (stanley, [(1, 2, 3, 4, 6, 8, 10), (0.0, 0.1, 0.2, 0.4)]),
    "racetrack": (by_sight, [(0, 1, 2), (2, 3, 4), (0.0, 0.15, 0.3, 0.45, 0.6)]),
}


ROWS: list[dict[str, Any]] = []
"""What was printed, for --json."""


def row(name: str, drives: list[Driven], seconds: str = "", road: str = "") -> None:
    """Print what came of some drives, and note it where a road is given."""
    found = summary(drives)
    arrived = sum(one.laps > 0 for one in drives) / len(drives)
    if road:
        ROWS.append({"road": road, "name": name, "arrived": arrived, **found})
    lap = [one.seconds for one in drives if one.laps]
    print(
        f"  {name:38}{seconds:>10}{found['left-the-road']:>9.1%}{arrived:>10.1%}{found['reward']:>9.4f}"
        f"{found['lateral-error-driven(m)']:>9.3f}{sum(lap) / max(len(lap), 1):>8.1f}",
        flush=True,
    )


def learned(road: str, seed: int, folder: Path, drives: int, flags: list[str]) -> None:
    """Train by the command, drive by the command, and print a row and the learning curve."""
    out = folder / f"{road}-{seed}"
    descend = [sys.executable, "-m", "descend"]
    if not (out / "run.json").exists():
        words = ["fit", TARGETS[road], "--seed", str(seed), "--out", str(out), "--json", *flags]
        subprocess.run([*descend, *words], check=True, capture_output=True)
    run = Run.open(out)
    words = ["drive", str(out), "--seeds", str(drives), "--json"]
    told = subprocess.run([*descend, *words], check=True, capture_output=True, text=True).stdout
    row(
        f"learned, seed {seed}",
        [Driven(**one) for one in json.loads(told)["drives"]],
        f"{run.facts['seconds']:.0f} s",
        road,
    )
    assert isinstance(run.model, Drive)
    driver = run.model.driver
    anywhere(road, lambda: at_the_wheel(driver), drives)
    steps, errors = run.metrics("lateral-error(m)/validation")
    print("    curve (step: m off the middle, held-out starts): ", end="")
    print(", ".join(f"{step}: {error:.3f}" for step, error in zip(steps, errors, strict=True)), flush=True)


class Anywhere:
    """An environment whose car starts anywhere on the road, off the middle, turned and moving sideways.

    highway-env itself always starts lane-keeping at one place, and its seeds only draw the noise.
    """

    def __init__(self, road: str):
        self.environment, self.simulation = opened(road), simulated(road)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.environment, name)

    def reset(self, seed: int) -> tuple[Any, dict[str, Any]]:
        """Start anywhere, as drawn by the seed."""
        environment = self.environment
        environment.reset(seed=seed)
        start = self.simulation.starts(1, torch.Generator().manual_seed(1_000_000 + seed))[0].tolist()
        car = environment.vehicle
        car.position, car.heading = np.array(start[:2]), start[2]
        if len(start) == 7:
            car.lateral_speed, car.yaw_rate = start[4:6]
            if start[6]:
                environment.lane = environment.lanes.pop(0)
        car.on_state_update()
        return environment.observation_type.observe(), {}


def anywhere(road: str, make: Callable[[], Steer], drives: int) -> None:
    environment = Anywhere(road)
    some = range(drives if road == "lane-keeping" else min(drives, 20))  # a lap takes seconds
    row("  from anywhere on the road", [drive(environment, seed, make()) for seed in some])


def untrained(road: str, drives: int) -> None:
    from descend.applications.targets import problem_from_target

    problem = problem_from_target(TARGETS[road])
    assert problem.reader is not None
    row("not yet learned", list(problem.reader.drives(problem.function, range(drives))))  # type: ignore[attr-defined]


def curve(road: str, seed: int) -> None:
    """Print the learning curve from scratch, in the simulation, from starts that are not learned from."""
    from descend.applications.targets import problem_from_target

    problem = problem_from_target(TARGETS[road], seed=seed)
    simulation, generator = simulated(road), torch.Generator().manual_seed(2_000_000 + seed)
    starts = simulation.starts(256, generator)
    chance = 2 * torch.rand(256, 151, simulation.NOISE, generator=generator) - 1
    descent = Descent(problem, seed=seed, schedule="constant")
    print(f"  from scratch, seed {seed} (steps: left the lane, median m off, of 256 starts):")
    for steps in (0, 5, 10, 20, 40, 80, 160):
        if steps:
            descent.run(Until(steps=steps), evaluate_every=1000)
        with torch.no_grad():
            off = descent.function(starts, chance)[..., 0].abs()
        # Lane-keeping's reference leaps by 8 m where its two lanes meet, so that only the end tells.
        left = (off[:, -1] > simulation.road.width.max() / 2).float().mean()  # type: ignore[attr-defined]
        print(f"    {steps:4}: {left:6.1%} {off[:, 25:].median():7.3f} m", flush=True)


def tune(road: str) -> None:
    """Print the best of a grid of drivers by hand."""
    make, grid = GRIDS[road]
    environment, found = opened(road), []
    for values in product(*grid):
        own = summary([drive(environment, seed, make(*values)) for seed in range(900, 905)])
        found.append((own["left-the-road"], -own["reward"], own["lateral-error-driven(m)"], values))
    for left, reward, error, values in sorted(found)[:5]:
        print(f"  {make.__name__}{values}: left {left:.0%}, reward {-reward:.4f}, {error:.3f} m")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--drives", type=int, default=100)
    parser.add_argument("--only", choices=list(TARGETS))
    parser.add_argument(
        "--runs", type=Path, help="where the runs go; those that are there are not trained again"
    )
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options, flags = parser.parse_known_args()
    torch.set_num_threads(1)
    names = ("highway-env", "gymnasium", "torch")
    print(f"{platform.machine()}, {os.cpu_count()} cores; " + ", ".join(f"{n} {version(n)}" for n in names))
    print(time.strftime("%Y-%m-%d"), f"{options.drives} drives each")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.runs or Path(temporary)
        for road in [options.only] if options.only else TARGETS:
            if options.tune:
                tune(road)
                continue
            print(
                f"\n{road:40}{'training':>10}{'left':>9}{'arrived':>10}{'reward':>9}{'m off':>9}{'lap(s)':>8}"
            )
            for seed in range(options.seeds):
                learned(road, seed, folder, options.drives, flags)
            untrained(road, min(options.drives, 20))
            curve(road, 0)
            for name, make in BY_HAND[road].items():
                environment = opened(road)
                row(name, [drive(environment, seed, make()) for seed in range(options.drives)], road=road)
                anywhere(road, make, options.drives)
    if options.json:
        options.json.write_text(json.dumps(ROWS, indent=1))


if __name__ == "__main__":
    main()
