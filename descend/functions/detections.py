"""Pictures as a detector takes them, and what it finds as boxes, counts and drawings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from descend.errors import UsageError
from descend.functions.answers import known_options, outputs_of
from descend.functions.boxes import Boxes, counted, precisions, right
from descend.functions.data import Data
from descend.functions.detector import Detector, found, known
from descend.functions.picture_files import Form, pictures_at, place_for_drawing, read_pictures, size_of
from descend.functions.pixels import Pixels

AT_A_TIME = 32
"""Pictures that are looked at together."""
BINS_OF_CALIBRATION = 10
"""Probabilities are held against what is right in this many bins."""
COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")


@dataclass(frozen=True)
class DetectionReader:
    """Reads pictures, and answers with boxes around what is in them.

    Attributes:
        classes: the names of the classes, in the order of their numbers.
        form: what every picture is brought to.
        mean: of each channel, 0 to 255.
        std: of each channel.
        width: of the :class:`~descend.functions.detector.Detector`.
        calibration: of each class (slope, shift): the probability that a box is right is the logistic
            function of slope · its logit + shift.
        recall: of each class, the share of the objects that there is a right box for.
    """

    classes: list[str]
    form: Form
    mean: list[float]
    std: list[float]
    width: int
    calibration: list[tuple[float, float]] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)

    kind: ClassVar[str] = "boxes"

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "DetectionReader":
        """Rebuild it."""
        own = {k: v for k, v in saved.items() if k != "kind"}
        lines = [(float(a), float(b)) for a, b in saved["calibration"]]
        return cls(**{**own, "form": Form(**saved["form"]), "calibration": lines})

    def model(self) -> nn.Module:
        """Build the function afresh: uint8 (n, height, width, channels) → a detector's output."""
        net = Detector(self.form.channels, len(self.classes), self.width)
        return nn.Sequential(Pixels(self.mean, self.std), net)

    def boxes(self, output: Tensor) -> list[Boxes]:
        """Return what a detector found, with the probability that each is right as its score."""
        return [self._calibrated(one) for one in found(output)]

    def _calibrated(self, boxes: Boxes) -> Boxes:
        if not self.calibration:
            return boxes
        slope, shift = torch.tensor(self.calibration).T
        logits = boxes.scores.double().clamp(1e-6, 1 - 1e-6).logit()
        scores = (slope[boxes.classes] * logits + shift[boxes.classes]).sigmoid().float()
        order = scores.argsort(descending=True, stable=True)
        return replace(boxes, scores=scores)[order]

    def calibrated(self, model: nn.Module, data: Data) -> "DetectionReader":
        """Return this reader with what held-out pictures say of its boxes: how sure is sure, what is missed.

        Args:
            model: the function, trained.
            data: pictures that it was not trained on, with what is in them.
        """
        seen = replace(self, calibration=[], recall=[]).seen(model, data)
        hits = [right(own, there) for own, there in seen]
        lines = [_line(seen, hits, k) for k in range(len(self.classes))]
        return replace(self, calibration=lines, recall=_recall(seen, hits, len(self.classes)))

    def seen(self, model: nn.Module, data: Data) -> list[tuple[Boxes, Boxes]]:
        """Return what it finds in each picture, and what there is."""
        seen: list[tuple[Boxes, Boxes]] = []
        for x, target in data.passes(AT_A_TIME, torch.device("cpu")):
            seen += zip(self.boxes(outputs_of(model, x, AT_A_TIME)), known(target), strict=True)
        return seen

    def figures(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return how good it is class by class, and how far its probabilities can be trusted.

        Args:
            model: the function, trained.
            data: pictures looked at for this alone, with what is in them.

        Returns:
            Of each class the average precision (``ap@0.5 NAME``), how far counts are off picture by picture
            (``count-error NAME``) and on the whole (``count-bias NAME``), both as a share of all its objects;
            of all boxes how far probabilities are from the share that is right, over ten bins
            (``calibration-error``; Guo et al. 2017).
        """
        seen = self.seen(model, data)
        found_ones, known_ones = [own for own, _ in seen], [there for _, there in seen]
        by_class = precisions(counted(found_ones, known_ones, len(self.classes)))
        result = {f"ap@0.5 {name}": value for name, value in zip(self.classes, by_class, strict=True)}
        for k, name in enumerate(self.classes):
            told = torch.tensor([self.expected(own)[k] for own, _ in seen])
            there = torch.tensor([(one.classes == k).sum() for _, one in seen])
            if there.sum() > 0:
                result[f"count-error {name}"] = float((told - there).abs().sum() / there.sum())
                result[f"count-bias {name}"] = float((told - there).sum() / there.sum())
        sure = torch.cat([own.scores for own, _ in seen]).double().cpu()
        hit = torch.cat([right(own, there) for own, there in seen]).double()
        if len(sure):
            bins = (sure * BINS_OF_CALIBRATION).long().clamp(max=BINS_OF_CALIBRATION - 1)
            gap = torch.zeros(BINS_OF_CALIBRATION, dtype=torch.float64).index_add_(0, bins, sure - hit)
            result["calibration-error"] = float(gap.abs().sum() / len(sure))
        return {name: value for name, value in result.items() if value == value}

    def predict(self, model: nn.Module, source: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Find what is in a picture, or in each picture of a folder.

        Args:
            model: the function, trained.
            source: the file or the folder.
            options: ``draw``, a file for the picture with its boxes, or a folder where there are several;
                ``least``, the probability from which boxes are reported, in place of as many as are counted;
                ``skip_unreadable=True`` leaves out what cannot be read, instead of refusing all.

        Returns:
            For each picture ``{"file", "counts": {class: how many}, "boxes": [{"class", "probability",
            "left", "top", "right", "bottom"}, ...]}``, in pixels of the picture as it is. What is counted is
            the expected number: the sum of all probabilities, over the share that is found at all. A box that
            is right in one of three cases is a third of an object, where a threshold would take it for one
            or none.

        Raises:
            DataError: where there is no picture, or one that cannot be read.
            UsageError: where an option is unknown or out of its range.
        """
        chosen = known_options(options, draw=None, least=None, skip_unreadable=False)
        least = chosen["least"]
        if least is not None and not 0 <= least <= 1:
            raise UsageError("a probability of 0 to 1 for least", f"{least}", "give another one")
        path = Path(source)
        paths = pictures_at(path)
        x, kept, _ = read_pictures(paths, self.form, skip_unreadable=chosen["skip_unreadable"])
        outputs = outputs_of(model, x, AT_A_TIME)
        answers = [
            self._answer(paths[k], own, least) for k, own in zip(kept, self.boxes(outputs), strict=True)
        ]
        if chosen["draw"] is not None:
            draw(answers, self.classes, Path(chosen["draw"]), several=path.is_dir())
        return answers

    def expected(self, boxes: Boxes) -> list[int]:
        """Return how many objects of each class are to be expected where these boxes were found."""
        sums = torch.zeros(len(self.classes)).index_add_(0, boxes.classes.cpu(), boxes.scores.cpu())
        share = torch.tensor(self.recall) if self.recall else torch.ones_like(sums)
        return (sums / share).round().long().tolist()

    def _answer(self, path: Path, boxes: Boxes, least: float | None) -> dict[str, Any]:
        counts = self.expected(boxes)
        if least is None:  # the surest of each class, as many as there should be
            own = [(boxes.classes == k).nonzero().flatten()[:count] for k, count in enumerate(counts)]
            boxes = boxes[torch.cat(own).sort().values]
        else:
            boxes = boxes[boxes.scores >= least]
        height, width = size_of(path) or (1, 1)
        size = torch.tensor([width, height, width, height])
        rows = [
            {
                "class": self.classes[kind],
                "probability": round(score, 4),
                **dict(zip(("left", "top", "right", "bottom"), (round(v, 1) for v in corners), strict=True)),
            }
            for kind, score, corners in zip(
                boxes.classes.tolist(), boxes.scores.tolist(), (boxes.corners * size).tolist(), strict=True
            )
        ]
        return {"file": str(path), "counts": dict(zip(self.classes, counts, strict=True)), "boxes": rows}


def _line(seen: Sequence[tuple[Boxes, Boxes]], hits: Sequence[Tensor], kind: int) -> tuple[float, float]:
    """Fit the probability that a box of a class is right to its score (Platt 1999), by Newton's method.

    As Platt has it, the wanted values are a little less than sure, so that few examples cannot make it so.
    """
    x = torch.cat([own.scores[own.classes == kind] for own, _ in seen]).double().clamp(1e-6, 1 - 1e-6).logit()
    hit = torch.cat([hit[own.classes == kind] for (own, _), hit in zip(seen, hits, strict=True)])
    many, few = int(hit.sum()), int((~hit).sum())
    if many + few < 10 or many == 0:
        return 1.0, 0.0
    y = torch.where(hit, (many + 1) / (many + 2), 1 / (few + 2)).double()
    design = torch.stack([x, torch.ones_like(x)], 1)
    line = torch.tensor([1.0, 0.0], dtype=torch.float64)
    for _ in range(50):
        p = (design @ line).sigmoid()
        gradient = design.T @ (p - y)
        curvature = design.T @ (design * (p * (1 - p))[:, None]) + 1e-6 * torch.eye(2, dtype=torch.float64)
        step = torch.linalg.solve(curvature, gradient)
        line = line - step.clamp(-2, 2)
        if float(step.abs().max()) < 1e-9:
            break
    return (float(line[0]), float(line[1])) if float(line[0]) > 0 else (1.0, 0.0)


def _recall(seen: Sequence[tuple[Boxes, Boxes]], hits: Sequence[Tensor], classes: int) -> list[float]:
    """Return the share of each class's objects that a box is right for; where there are none, 1."""
    found, there = torch.zeros(classes), torch.zeros(classes)
    for (own, known_ones), hit in zip(seen, hits, strict=True):
        found += own.classes[hit.to(own.classes.device)].bincount(minlength=classes).cpu()
        there += known_ones.classes.bincount(minlength=classes).cpu()
    return torch.where((there > 0) & (found > 0), found / there.clamp(min=1), torch.ones(classes)).tolist()


def draw(answers: Sequence[dict[str, Any]], classes: Sequence[str], into: Path, several: bool) -> None:
    """Draw the boxes into copies of the pictures.

    Args:
        answers: of :meth:`DetectionReader.predict`.
        classes: the names of the classes; each has its colour.
        into: the file to write; where there are several pictures, a folder.
        several: whether it is a folder, made where there is none.

    Raises:
        UsageError: where the file's name is that of no kind of picture.
    """
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    place_for_drawing(into, several)
    colours = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(classes)}
    for answer in answers:
        source = Path(answer["file"])
        with Image.open(source) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        pen, line = ImageDraw.Draw(picture), max(1, round(min(picture.size) / 240))
        font = ImageFont.load_default(max(10, min(picture.size) / 34))
        for box in reversed(answer["boxes"]):  # the surest last, on top
            ends = (box["left"], box["top"], box["right"], box["bottom"])
            colour = colours[box["class"]]
            pen.rectangle(ends, outline=colour, width=line)
            said = f"{box['class']} {box['probability']:.0%}"
            at = (ends[0] + line, max(0.0, ends[1] - font.getbbox(said)[3] - line))
            pen.rectangle(pen.textbbox(at, said, font=font), fill=colour)
            pen.text(at, said, fill="white", font=font)
        picture.save(into / f"{source.stem}.png" if several else into)
