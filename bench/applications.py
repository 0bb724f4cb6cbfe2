"""Measure every application, each by its own script, and write down what they reach.

    make applications
    python bench/applications.py [--austen TEXT] [--bccd DIR] [--strd DIR] [--only NAME ...] [--quick]

What is printed goes into docs/applications.md, below each application's words, and the figures into
descend/applications/reached.json, which `descend applications` shows. One after the other, for nothing else
should run beside them; all together they take about seven hours on two cores. Where the data are not given,
an application's old figures stay. `--quick` takes one seed, a tenth of the time and writes nothing: it shows
that all of it runs.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from descend.applications.reached import FILE, Figure

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "applications.md"
Rows = list[dict[str, Any]]
Made = tuple[str, list[float], dict[str, list[float]]]
"""What a figure is, its values and those of its peers."""


@dataclass(frozen=True)
class Measure:
    """How one application is measured.

    Attributes:
        script: in this folder.
        figures: makes figures of the rows that it writes.
        seconds: of training each, 0 where the application's own number of steps ends it.
        data: the option that gives its data, if any.
    """

    script: str
    figures: Callable[[Rows], list[Made]]
    seconds: float = 0.0
    data: str | None = None


def by_name(rows: Rows, key: str, own: str = "descend") -> tuple[list[float], dict[str, list[float]]]:
    """Return the values of ``own`` and, by name, those of the others that have this key."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row.get(key) is not None:
            values.setdefault(row["name"], []).append(row[key])
    return values.pop(own), values


def column(rows: Rows, key: str) -> list[float]:
    return [row[key] for row in rows]


def language(rows: Rows) -> list[Made]:
    own, peers = by_name(rows, "bits")
    nanogpt = peers.get("nanogpt", [])
    return [("bits a character on the last tenth of six novels", own, {"nanoGPT's recipe": nanogpt})]


def detection(rows: Rows) -> list[Made]:
    made: list[Made] = [("mAP@0.5 on 72 pictures of blood", column(rows, "map@0.5"), {})]
    classes = ("RBC", "WBC", "Platelets")
    made += [(f"AP@0.5 of {name}", column(rows, f"ap@0.5 {name}"), {}) for name in classes]
    made.append(("error of all red cells counted, as a share", column(rows, "count-bias RBC"), {}))
    made.append(("the same, picture by picture", column(rows, "count-error RBC"), {}))
    return made


def understanding(rows: Rows) -> list[Made]:
    own = [row["accuracy"] for row in rows if row["name"].startswith("descend")]
    peers = {row["name"]: [row["accuracy"]] for row in rows if not row["name"].startswith("descend")}
    return [("of 1,000 reviews right", own, peers)]


def segmentation(rows: Rows) -> list[Made]:
    otsu = {"the best of Otsu's thresholds": column(rows, "best of four")}
    return [("Dice on held-out regions of nuclei", column(rows, "descend"), otsu)]


def recommendation(rows: Rows) -> list[Made]:
    rated = [row for row in rows if "rmse" in row]
    for row in rated:
        row["name"] = re.sub(r" \(ridge.*", "", row["name"])
    own, peers = by_name(rated, "rmse")
    rmse: Made = ("RMSE on a random fifth of MovieLens", own, peers)
    own, peers = by_name(rows, "ndcg@10")
    return [rmse, ("NDCG@10 on each user's last fifth", own, peers)]


def driving(rows: Rows) -> list[Made]:
    made: list[Made] = []
    for road, what in (
        ("lane-keeping", "of 100 drives in the lane left it"),
        ("racetrack", "of laps driven clean"),
    ):
        own = [row for row in rows if row["road"] == road and row["name"].startswith("learned")]
        hand = [row for row in rows if row["road"] == road and not row["name"].startswith("learned")]
        key = "left-the-road" if road == "lane-keeping" else "arrived"
        made.append((what, column(own, key), {row["name"]: [row[key]] for row in hand}))
        reward = {row["name"]: [row["reward"]] for row in hand}
        made.append((f"of the environment's reward, {road}", column(own, "reward"), reward))
    return made


def tables(rows: Rows) -> list[Made]:
    from tabular import BAR, ratio  # scikit-learn, which none of the others needs

    by_table: dict[str, Rows] = {}
    for row in rows:
        by_table.setdefault(row["table"], []).append(row)
    within = [float(sum(ratio(own) >= BAR for own in by_table.values()))]
    made: list[Made] = [(f"of {len(by_table)} tables within 2% of the better of the two peers", within, {})]
    for name, own in by_table.items():
        what = "accuracy" if own[0]["task"] == "classification" else "R²"
        peers = {"gradient boosting": column(own, "boosting"), "MLP": column(own, "network")}
        made.append((f"{what}, {name}", column(own, "descend"), peers))
    return made


def curves(rows: Rows) -> list[Made]:
    digits = {row["name"]: [float(sum(d >= 9 for d in row["digits"]))] for row in rows}
    return [("of NIST's 54 regressions, certified values to 9 digits", digits.pop("descend lm"), digits)]


MEASURES = {
    "language": Measure("language.py", language, 1200, "austen"),
    "understanding_text": Measure("understanding_text.py", understanding),
    "detection": Measure("detection.py", detection, 1800, "bccd"),
    "segmentation": Measure("segmentation.py", segmentation, 120),
    "recommendation": Measure("recommendation.py", recommendation),
    "driving": Measure("driving.py", driving),
    "tables": Measure("tabular.py", tables),
    "curves": Measure("nist.py", curves, data="strd"),
}


def machine() -> str:
    """Return what this was measured on."""
    cpu = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", cpu.read_text()) if cpu.exists() else []
    name = names[0] if names else platform.processor()
    count = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
    cores = f"{allowed} of {count} cores" if allowed < count else f"{count} cores"
    return f"{cores} of {name}, Python {platform.python_version()}, torch {torch.__version__}"


def measured(measure: Measure, data: str | None, quick: bool) -> tuple[str, list[Made], str]:
    """Run a script; return its command, its figures, and what it printed."""
    words = [data] if data else []
    if quick:
        words += ["--seeds", "1", *(["--seconds", f"{measure.seconds / 10:g}"] if measure.seconds else [])]
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        command = [sys.executable, str(HERE / measure.script), *words, "--json", str(rows)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        made = measure.figures(json.loads(rows.read_text()))
    shown = [Path(word).name for word in words]
    return " ".join(["python", f"bench/{measure.script}", *shown]), made, done.stdout.strip()


def write(name: str, measure: Measure, command: str, made: list[Made], printed: str) -> None:
    """Put the figures where they are shown."""
    saved = json.loads(FILE.read_text()) if FILE.is_file() else {}
    date = datetime.now(UTC).date().isoformat()
    figures = [
        Figure(what, values, measure.seconds, peers, command, machine(), date) for what, values, peers in made
    ]
    saved[name] = [asdict(one) for one in figures]
    FILE.write_text(json.dumps(saved, indent=1, ensure_ascii=False) + "\n")
    block = f"<!-- {name} -->\n```console\n$ {command}\n{printed}\n```\n\n{machine()}; {date}.\n<!-- end -->"
    page = PAGE.read_text()
    found = re.compile(rf"<!-- {name} -->.*?<!-- end -->", re.DOTALL)
    if not found.search(page):
        raise SystemExit(f"no place for {name} in {PAGE}: write <!-- {name} --><!-- end -->")
    PAGE.write_text(found.sub(lambda _: block, page))


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--austen", help="the six novels, a text file")
    parser.add_argument("--bccd", help="the folder of blood cells")
    parser.add_argument("--strd", help="the folder NIST_STRD of lmfit's source")
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    for name in options.only:
        measure = MEASURES[name]
        data = getattr(options, measure.data) if measure.data else None
        if measure.data and data is None:
            print(f"{name}: left out, --{measure.data} gives its data", flush=True)
            continue
        command, made, printed = measured(measure, data, options.quick)
        print(f"$ {command}\n{printed}\n", flush=True)
        if not options.quick:
            write(name, measure, command, made, printed)


if __name__ == "__main__":
    main()
