"""Pictures as a classification problem: a folder with one subfolder a class, or IDX files."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from descend.errors import DataError
from descend.functions.answers import class_answers, known_options
from descend.functions.idx import IdxFiles, find_idx, is_idx, read_images, read_pair
from descend.functions.networks import ConvNet
from descend.functions.picture_files import (
    Form,
    common_form,
    is_picture,
    pictures_at,
    pictures_under,
    read_pictures,
)
from descend.functions.pixels import Pixels
from descend.functions.problem import Problem, Settings
from descend.functions.splits import seeded, split

TRAIN, VALIDATION, TEST = ("train", "training"), ("val", "valid", "validation"), ("test", "testing")
"""Names of subfolders that hold an official split, each with one subfolder a class."""

Examples = tuple[Tensor, Tensor]
"""uint8 pictures (n, height, width, channels) and int64 class numbers (n,)."""


@dataclass(frozen=True)
class PictureReader:
    """Reads pictures, and answers with a class and its probability.

    Attributes:
        classes: the names of the classes, in the order of the function's outputs.
        form: what every picture is brought to.
        mean: of each channel, 0 to 255.
        std: of each channel.
    """

    classes: list[str]
    form: Form
    mean: list[float]
    std: list[float]

    kind: ClassVar[str] = "pictures"

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "PictureReader":
        """Rebuild it."""
        return cls(saved["classes"], Form(**saved["form"]), saved["mean"], saved["std"])

    def model(self) -> nn.Module:
        """Build the function afresh: uint8 (n, height, width, channels) → logits (n, classes)."""
        size = self.form.height, self.form.width
        net = ConvNet(self.form.channels, len(self.classes), size, width=16, dropout=0.2)
        return nn.Sequential(Pixels(self.mean, self.std), net)

    def predict(self, model: nn.Module, source: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Answer for a picture, for each picture in a folder, or for each in an IDX file.

        Args:
            model: the function, trained.
            source: the file or the folder.
            options: ``skip_unreadable=True`` leaves out what cannot be read, instead of refusing all.

        Returns:
            For each picture ``{"file", "prediction", "probability"}``; from an IDX file also ``"index"``.

        Raises:
            DataError: where there is no picture, or one that cannot be read.
        """
        skip = known_options(options, skip_unreadable=False)["skip_unreadable"]
        path = Path(source)
        if is_idx(path):
            x = read_images(path)
            form = Form(x.shape[1], x.shape[2], x.shape[3])
            if form != self.form:
                raise DataError(
                    f"pictures of {_described(self.form)}",
                    f"{_described(form)} in {path}",
                    "predict from pictures of the size learned from",
                )
            names: list[dict[str, Any]] = [{"file": str(path), "index": k} for k in range(len(x))]
        else:
            paths = pictures_at(path)
            x, kept, _ = read_pictures(paths, self.form, skip_unreadable=skip)
            names = [{"file": str(paths[k])} for k in kept]
        answers = class_answers(model, x, self.classes)
        return [{**name, **answer} for name, answer in zip(names, answers, strict=True)]


def picture_problem(path: str | Path, *, seed: int = 0, skip_unreadable: bool = False) -> Problem:
    """Make a classification problem of a folder of pictures.

    The folder holds one subfolder a class (its name), each with PNG, JPEG or other pictures, at any depth;
    or such folders in ``train`` and ``test`` (and ``val``), an official split; or IDX files, where
    ``t10k-...`` is the official test.

    Args:
        path: the folder.
        seed: draws the parts, where the data come without an official split, and the initial parameters.
        skip_unreadable: leave out what cannot be read, instead of refusing all.

    Returns:
        The problem; its inputs are uint8 (n, height, width, channels), its targets class numbers.

    Raises:
        DataError: where there are no pictures, fewer than two classes, a class with a single picture, or a
            file that cannot be read.
        MissingExtra: where Pillow is not installed (IDX files do without).
    """
    folder = Path(path)
    files = find_idx(folder)
    if files is not None:
        return _idx_problem(folder, files, seed)
    return _folder_problem(folder, seed, skip_unreadable)


def _idx_problem(folder: Path, files: IdxFiles, seed: int) -> Problem:
    x, y = read_pair(files.train_images, files.train_labels)
    count = int(y.max()) + 1
    if len(y.unique()) < 2:
        raise DataError(
            f"at least two classes in {files.train_labels}", "one", "add examples of another class"
        )
    test = None
    if files.test_images is not None and files.test_labels is not None:
        test = read_pair(files.test_images, files.test_labels)
        if test[0].shape[1:] != x.shape[1:] or int(test[1].max()) >= count:
            raise DataError(
                f"test pictures of {_described(Form(*x.shape[1:]))} in classes 0 to {count - 1}",
                f"{_described(Form(*test[0].shape[1:]))} in classes to {int(test[1].max())} in {folder}",
                "get all files from one place",
            )
    digest = hashlib.sha256()
    for file in files.paths:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    facts = {"kind": "idx", "sha256": digest.hexdigest()}
    return _problem(folder, (x, y), None, test, [str(k) for k in range(count)], seed, facts)


def _folder_problem(folder: Path, seed: int, skip_unreadable: bool) -> Problem:
    parts = _official_parts(folder)
    classes = _classes(parts["train"])
    paths: list[Path] = []
    labels: list[int] = []
    ends: dict[str, int] = {}
    for part, root in parts.items():
        for name in _classes(root) if part != "train" else classes:
            if name not in classes:
                raise DataError(
                    f"the classes of {parts['train']} in {root}", f"{name} as well", "learn it, or remove it"
                )
            found = pictures_under(root / name)
            if part == "train" and len(found) < 2:
                raise DataError(
                    f"at least two pictures in each class's subfolder of {root}",
                    f"{len(found) or 'none'} in {name}",
                    "add pictures or remove the subfolder",
                )
            paths += found
            labels += [classes.index(name)] * len(found)
        ends[part] = len(paths)
    form = common_form(paths)
    x, kept, digest = read_pictures(paths, form, skip_unreadable=skip_unreadable)
    y = torch.tensor(labels)[kept]
    kept_paths = torch.tensor(kept)
    examples: dict[str, Examples] = {}
    start = 0
    for part, end in ends.items():
        own = (kept_paths >= start) & (kept_paths < end)
        if own.any():
            examples[part] = x[own], y[own]
        start = end
    left = torch.bincount(examples["train"][1] if "train" in examples else y[:0], minlength=len(classes))
    if int(left.min()) < 2:  # what could not be read was left out
        raise DataError(
            "at least two pictures that can be read in each class",
            f"{int(left.min())} in {classes[int(left.argmin())]}",
            "add pictures or remove the subfolder",
        )
    facts = {"kind": "pictures", "sha256": digest, "unreadable": len(paths) - len(kept)}
    return _problem(
        folder, examples["train"], examples.get("validation"), examples.get("test"), classes, seed, facts
    )


def _official_parts(folder: Path) -> dict[str, Path]:
    """Return the folders of train, validation and test, or the folder itself as all there is."""
    named = {sub.name.lower(): sub for sub in folder.iterdir() if sub.is_dir()}
    parts: dict[str, Path] = {}
    for part, names in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST)):
        for name in names:
            if name in named and any(sub.is_dir() for sub in named[name].iterdir()):
                parts.setdefault(part, named[name])
    if "train" not in parts or len(parts) == 1:
        return {"train": folder}
    if "test" not in parts:  # the only held-out part is looked at once, at the end
        parts["test"] = parts.pop("validation")
    return parts


def _classes(root: Path) -> list[str]:
    """Return the names of the subfolders: the classes."""
    subfolders = sorted(
        sub.name for sub in root.iterdir() if sub.is_dir() and not sub.name.startswith((".", "__"))
    )
    if len(subfolders) < 2:
        loose = sum(is_picture(file) for file in root.iterdir())
        came = f"one subfolder, {subfolders[0]}" if subfolders else "no subfolder"
        came += f" and {loose} pictures beside it" if loose else ""
        came = "an empty folder" if not any(root.iterdir()) else came
        raise DataError(
            f"a folder with one subfolder of pictures for each of at least two classes at {root}",
            came,
            "sort the pictures into one subfolder a class",
        )
    return subfolders


def _problem(
    folder: Path,
    train: Examples,
    validation: Examples | None,
    test: Examples | None,
    classes: list[str],
    seed: int,
    facts: dict[str, Any],
) -> Problem:
    x, y = train
    n = len(y)
    if validation is None:
        # 5,000 judge an accuracy to half a percent, and are gone over many times.
        share = min(1 / 8, 5000 / n)
        kept, chosen, held = split(n, test=0 if test else 1 / 5, validation=share, seed=seed, labels=y)
        train, validation = (x[kept], y[kept]), (x[chosen], y[chosen])
        test = test or (x[held], y[held])
    sample = train[0][:: max(1, len(train[0]) // 2000)].float()  # enough to standardise by
    mean, std = sample.mean((0, 1, 2)).tolist(), sample.std((0, 1, 2), correction=0).tolist()
    reader = PictureReader(classes, Form(*x.shape[1:]), mean, std)
    with seeded(seed):
        function = reader.model()
    rows = len(train[1]) + len(validation[1]) + (len(test[1]) if test else 0)
    return Problem(
        function,
        "cross_entropy",
        train=train,
        validation=validation,
        test=test,
        metric="accuracy",
        name=folder.resolve().name,
        reader=reader,
        settings=_settings(len(train[1])),
        facts={
            "source": str(folder),
            "rows": rows,
            "classes": classes,
            "size": [reader.form.height, reader.form.width],
            "channels": reader.form.channels,
            **facts,
        },
    )


def _settings(n: int) -> Settings:
    """Twelve epochs, where that is neither too few steps for a small folder nor too long for a large one."""
    batch = 128 if n >= 5000 else 64 if n >= 1000 else 32
    steps = min(max(12 * n // batch, 400), 10_000)
    return Settings("adamw", 5e-3, batch, steps, "cosine", 0.05, hyperparameters={"weight_decay": 0.02})


def _described(form: Form) -> str:
    return f"{form.height} × {form.width} pixels, {'grey' if form.channels == 1 else 'colour'}"
