"""Dice of `descend fit DIR`, a folder of masks, beside Otsu's threshold on the same held-out regions.

    python bench/segmentation.py [DIR] [--seconds 120] [--seeds 3] [--json FILE]

Without DIR the picture of nuclei is taken that comes in the wheel of stardist (512 × 512 pixels, 16 bits,
with 125 nuclei drawn by hand); pip brings the wheel into a temporary folder, and nothing of it is installed.
The held-out fifth is a band along one side of the picture; which side follows from the seed.

Otsu's threshold (Otsu 1979) is given every help: it is chosen on the held-out region itself, on the pixels as
they are, their logarithms, and either of these smoothed; the last column holds the best of the four, which
only somebody with the answers could choose.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from real_data import fit

from descend.applications.segmentation import segmentation_problem
from descend.functions.regions import Regions
from descend.functions.unet import VOID

WHEEL = "stardist"
FILES = ("img2d.tif", "mask2d.tif")


def nuclei(folder: Path) -> Path:
    """Bring the picture of nuclei and its mask into a folder."""
    words = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), WHEEL]
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
    (wheel,) = folder.glob(f"{WHEEL}-*.whl")
    into = folder / "nuclei"
    into.mkdir()
    with zipfile.ZipFile(wheel) as file:
        for name in FILES:
            (into / name).write_bytes(file.read(f"stardist/data/images/{name}"))
    return into


def otsu(values: np.ndarray) -> float:
    """Return the threshold that parts values into two classes of the greatest variance between them."""
    counts, edges = np.histogram(values, 1024)
    middles = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum()
    above = below[-1] - below
    total = (counts * middles).cumsum()
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(middles[np.nanargmax(between)])


def smoothed(picture: np.ndarray, deviation: float = 1.5) -> np.ndarray:
    """Return a picture after a Gaussian filter, its deviation in pixels."""
    reach = round(3 * deviation)
    bell = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * deviation**2))
    bell = (bell / bell.sum()).double()
    x = F.pad(torch.from_numpy(picture)[None, None], (reach,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(x, bell.view(1, 1, -1, 1)), bell.view(1, 1, 1, -1))[0, 0].numpy()


def dice(told: np.ndarray, there: np.ndarray) -> float:
    """Return twice what both hold over what each holds."""
    return 2 * float((told & there).sum()) / max(1, int(told.sum()) + int(there.sum()))


def thresholds(folder: Path, seed: int) -> dict[str, float]:
    """Return the Dice coefficient of each form of Otsu's threshold on the held-out regions of a seed."""
    found: dict[str, list[float]] = {}
    held = segmentation_problem(folder, seed=seed).test
    assert isinstance(held, Regions)
    for picture, mask in held.regions:
        there, known = mask.numpy() > 0, mask.numpy() != VOID
        plain = picture.double().mean(2).numpy()
        forms = {"otsu": plain, "of logarithms": np.log(plain + 8)}
        forms |= {f"{name}, smoothed": smoothed(values) for name, values in forms.items()}
        for name, values in forms.items():
            found.setdefault(name, []).append(dice((values > otsu(values)) & known, there & known))
    own = {name: float(np.mean(values)) for name, values in found.items()}
    return {**own, "best of four": max(own.values())}


def main() -> None:
    """Train for every seed and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} threads")
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or nuclei(Path(temporary))
        for seed in range(options.seeds):
            words = ("--seconds", f"{options.seconds:g}", "--seed", str(seed), "--prove", "0")
            found, took = fit(str(folder), *words, folder=Path(temporary) / f"run-{seed}")
            beside = thresholds(folder, seed)
            row = {"descend": found["metrics"]["dice/test"], **beside}
            rows.append({"seed": seed, "steps": found["steps"], "seconds": took, **row})
            if seed == 0:
                print(f"{'seed':>4}{'steps':>7}{'seconds':>9}" + "".join(f"{name:>25}" for name in row))
            values = "".join(f"{value:25.4f}" for value in row.values())
            print(f"{seed:4}{found['steps']:7}{took:9.0f}" + values, flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
