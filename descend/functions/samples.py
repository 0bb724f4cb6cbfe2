"""Three small, real data sets to begin with: digits, diabetes, breast cancer.

The files lie in the scikit-learn package and are read from there; the package itself is never imported,
which would take 1.9 s.
"""

import gzip
import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from descend.errors import DataError, MissingExtra, UsageError, nearest
from descend.functions.answers import class_answers, known_options, outputs_of
from descend.functions.networks import MLP, ConvNet, Standardise
from descend.functions.number_rows import read_rows
from descend.functions.pixels import Pixels
from descend.functions.problem import Problem, Settings
from descend.functions.sample_names import SAMPLE_NAMES, sample_name
from descend.functions.splits import seeded, split

SIDE = 8
"""The digits' pixels along each side; each is 0 (dark) to 16."""


@dataclass(frozen=True)
class Sample:
    """One data set.

    Attributes:
        name: what a person types.
        files: in scikit-learn's folder of data; the inputs, then the targets where they lie apart.
        separator: between the numbers of a row; ``None`` is white space.
        skip: lines before the first row.
        features: the inputs' names.
        classes: the classes' names in the order of their numbers; empty for a regression.
        largest: the inputs lie in 0 to ``largest``, or anywhere where it is ``None``.
        function: (mean, std) of the inputs → the function.
        settings: how it is best descended.
        about: where the data come from.
    """

    name: str
    files: tuple[str, ...]
    separator: str | None
    skip: int
    features: tuple[str, ...]
    classes: tuple[str, ...]
    largest: float | None
    function: Callable[[list[float], list[float]], nn.Module]
    settings: Settings = field(default_factory=Settings)
    about: str = ""


def _on_pixels(mean: list[float], std: list[float]) -> nn.Module:
    """Return a small convolutional net on rows of 64 pixels, which are standardised alike."""
    shift, scale = [float(np.mean(mean))], [float(np.sqrt(np.mean(np.square(std)) + np.var(mean)))]
    return nn.Sequential(
        nn.Unflatten(1, (SIDE, SIDE, 1)),
        Pixels(shift, scale),
        ConvNet(1, 10, SIDE, width=16, dropout=0.3),
    )


def _on_numbers(
    mean: list[float], std: list[float], *, outputs: int, hidden: tuple[int, ...], dropout: float
) -> nn.Module:
    sizes = [len(mean), *hidden, outputs]
    return nn.Sequential(Standardise(torch.tensor(mean), torch.tensor(std)), MLP(sizes, dropout))


_MEASURED = ("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity")
_MEASURED += ("concave_points", "symmetry", "fractal_dimension")

SAMPLES: dict[str, Sample] = {
    row.name: row
    for row in [
        Sample(
            "digits",
            ("digits.csv.gz",),
            ",",
            0,
            tuple(f"pixel_{i}_{j}" for i in range(SIDE) for j in range(SIDE)),
            tuple("0123456789"),
            16.0,
            _on_pixels,
            # 8 seeds, 5 CPU-seconds each: 98.9% of the test on average, 98.0% at the least.
            Settings("adamw", 4e-3, 64, 1500, "cosine", 0.05, hyperparameters={"weight_decay": 0.5}),
            "1,797 handwritten digits of 8 × 8 pixels (Alpaydin & Kaynak, UCI 1998)",
        ),
        Sample(
            "diabetes",
            ("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"),
            None,
            0,
            ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
            (),
            None,
            partial(_on_numbers, outputs=1, hidden=(32,), dropout=0.2),
            Settings("adamw", 3e-3, 32, 1500, "cosine", 0.05, hyperparameters={"weight_decay": 0.5}),
            "442 patients, the progress of the disease a year later (Efron et al. 2004)",
        ),
        Sample(
            "breast-cancer",
            ("breast_cancer.csv",),
            ",",
            1,
            tuple(f"{what}_{name}" for what in ("mean", "error", "worst") for name in _MEASURED),
            ("malignant", "benign"),
            None,
            partial(_on_numbers, outputs=2, hidden=(32,), dropout=0.2),
            Settings("adamw", 3e-3, 32, 1000, "cosine", 0.05, hyperparameters={"weight_decay": 0.1}),
            "569 tumours, 30 measures of their cells' nuclei (Street, Wolberg & Mangasarian 1993)",
        ),
    ]
}


def sample_arrays(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the inputs and the targets of a sample, as scikit-learn's loaders return them.

    Args:
        name: one of :data:`SAMPLES`.

    Returns:
        float64 (n, features), and (n,): int64 class numbers or float64 values.

    Raises:
        MissingExtra: where scikit-learn's files are not there.
    """
    row = SAMPLES[name]
    tables = [_table(path, row) for path in _paths(row)]
    rows = np.concatenate(tables, axis=1)
    x, y = rows[:, :-1], rows[:, -1]
    return x, y.astype(np.int64) if row.classes else y


def _paths(row: Sample) -> list[Path]:
    found = importlib.util.find_spec("sklearn")  # looks for the folder, imports nothing
    if found is None or not found.submodule_search_locations:
        raise MissingExtra("scikit-learn", "samples", "the sample data")
    folder = Path(found.submodule_search_locations[0]) / "datasets" / "data"
    paths = [folder / file for file in row.files]
    for path in paths:
        if not path.is_file():
            raise MissingExtra("scikit-learn", "samples", f"the sample data {path.name}")
    return paths


def _table(path: Path, row: Sample) -> np.ndarray:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    lines = text.decode().splitlines()[row.skip :]
    return np.loadtxt(lines, delimiter=row.separator, ndmin=2)


@dataclass(frozen=True)
class SampleReader:
    """Reads rows of numbers for one of the samples, and answers with a class or a value.

    Attributes:
        name: the sample's.
        mean: of each input.
        std: of each input.
        target: (mean, std) of a regression's target: the function's output is in units of these.
    """

    name: str
    mean: list[float]
    std: list[float]
    target: tuple[float, float] = (0.0, 1.0)

    kind: ClassVar[str] = "sample"

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        return {"kind": self.kind, **asdict(self), "target": list(self.target)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "SampleReader":
        """Rebuild it."""
        mean, std = saved["target"]
        return cls(saved["name"], saved["mean"], saved["std"], (mean, std))

    def model(self) -> nn.Module:
        """Build the function afresh: float32 (n, features) → logits (n, classes) or values (n, 1)."""
        return SAMPLES[self.name].function(self.mean, self.std)

    def predict(self, model: nn.Module, source: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Answer for each row of a file.

        Args:
            model: the function, trained.
            source: a CSV (with or without names) or .npy file of rows, each with every input in its
                order; for digits also a picture, or a folder of pictures.
            options: none.

        Returns:
            For each row ``{"row" or "file", "prediction"}``, with ``"probability"`` where it is a class.

        Raises:
            DataError: where the file cannot be read, or its rows are not of the inputs' kind.
        """
        known_options(options)
        row, path = SAMPLES[self.name], Path(source)
        if not path.exists():
            raise DataError(f"a file of rows at {path}", "nothing there", "check the path")
        if self.name == "digits" and (path.is_dir() or _is_picture(path)):
            x, names = _drawn(path)
        else:
            x = read_rows(path, row.features)
            names: list[dict[str, Any]] = [{"row": k} for k in range(len(x))]
        if row.largest is not None and (float(x.min()) < 0 or float(x.max()) > row.largest):
            raise DataError(
                f"values from 0 to {row.largest:g} in {path}",
                f"{float(x.min()):g} to {float(x.max()):g}",
                "scale them to that range",
            )
        if row.classes:
            answers = class_answers(model, x, row.classes)
        else:
            mean, std = self.target
            values = (outputs_of(model, x)[:, 0].double() * std + mean).tolist()
            answers = [{"prediction": value} for value in values]
        return [{**name, **answer} for name, answer in zip(names, answers, strict=True)]


def _is_picture(path: Path) -> bool:
    from descend.functions.picture_files import is_picture

    return is_picture(path)


def _drawn(path: Path) -> tuple[Tensor, list[dict[str, Any]]]:
    """Read pictures as rows of 64 values; one that is dark on a light ground is turned into its negative."""
    from descend.functions.picture_files import Form, pictures_under, read_pictures

    paths = pictures_under(path) if path.is_dir() else [path]
    if not paths:
        raise DataError(f"a folder of pictures at {path}", "no picture there", "check the path")
    pictures, _, _ = read_pictures(paths, Form(SIDE, SIDE, 1))
    x = pictures.flatten(1).float() / 255
    x = torch.where(x.mean(1, keepdim=True) > 0.5, 1 - x, x) * 16
    return x, [{"file": str(file)} for file in paths]


def sample_problem(name: str, *, seed: int = 0) -> Problem:
    """Make a problem of one of the samples; a third is held out as the test.

    Args:
        name: ``digits``, ``diabetes`` or ``breast-cancer``.
        seed: draws the parts and the initial parameters.

    Returns:
        The problem. Inputs are float32 (n, features), as in the file; a regression's target is
        standardised.

    Raises:
        UsageError: where no sample has this name.
        MissingExtra: where scikit-learn's files are not there.
    """
    known = sample_name(name)
    if known is None:
        raise UsageError("the name of a sample", repr(name), nearest(name, list(SAMPLE_NAMES)))
    row = SAMPLES[known]
    inputs, targets = sample_arrays(known)
    x, y = torch.from_numpy(inputs).float(), torch.from_numpy(targets)
    kept, chosen, held = split(
        len(x), test=1 / 3, validation=1 / 8, seed=seed, labels=y if row.classes else None
    )
    mean, std = x[kept].mean(0).tolist(), x[kept].std(0, correction=0).tolist()
    target = (0.0, 1.0)
    if not row.classes:
        target = (float(y[kept].mean()), float(y[kept].std(correction=0)))
        y = ((y - target[0]) / target[1]).float()[:, None]
    reader = SampleReader(known, mean, std, target)
    with seeded(seed):
        function = reader.model()
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _paths(row))).hexdigest()
    return Problem(
        function,
        "cross_entropy" if row.classes else "mse",
        train=(x[kept], y[kept]),
        validation=(x[chosen], y[chosen]),
        test=(x[held], y[held]),
        metric="accuracy" if row.classes else "r2",
        name=known,
        reader=reader,
        settings=row.settings,
        facts={
            "source": known,
            "kind": "sample",
            "about": row.about,
            "rows": len(x),
            "columns": len(row.features),
            "classes": list(row.classes) or None,
            "sha256": digest,
        },
    )
