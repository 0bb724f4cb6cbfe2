"""Boxes: how far they agree, which of many mean one object, and precision as the field counts it."""

import contextlib
import io
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descend.functions.boxes import (
    Boxes,
    average_precision,
    counted,
    distinct,
    giou,
    iou,
    mean_average_precision,
    precisions,
    right,
)

NUMBERS = st.integers(0, 12)


@st.composite
def corners(draw):
    x, y, w, h = (draw(NUMBERS) for _ in range(4))
    return [float(v) for v in (x, y, x + w, y + h)]


def boxes(rows, classes=None, scores=None) -> Boxes:
    n = len(rows)
    return Boxes(
        torch.tensor(rows, dtype=torch.float32).view(n, 4),
        torch.tensor(classes if classes is not None else [0] * n, dtype=torch.long),
        torch.tensor(scores if scores is not None else [1.0] * n),
    )


@given(corners(), corners())
def test_overlap_is_what_cells_are_shared(a, b):
    def cells(box):
        return {(x, y) for x in range(int(box[0]), int(box[2])) for y in range(int(box[1]), int(box[3]))}

    both, either = cells(a) & cells(b), cells(a) | cells(b)
    one, other = torch.tensor(a), torch.tensor(b)
    assert float(iou(one, other)) == pytest.approx(len(both) / len(either) if either else 0)
    assert -1 <= float(giou(one, other)) <= float(iou(one, other)) + 1e-6


def test_boxes_that_move_apart_agree_less():
    a = torch.tensor([0.0, 0, 2, 2])
    told = [float(giou(a, a + shift)) for shift in (0.0, 1, 2, 4, 100)]
    assert told[0] == 1 and told == sorted(told, reverse=True) and told[-1] > -1


def test_one_object_one_box():
    rows = [[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 10]]
    found = distinct(boxes(rows, [0, 0, 0, 1], [0.5, 0.9, 0.3, 0.2]), overlap=0.5)
    assert found.scores.tolist() == pytest.approx([0.9, 0.3, 0.2])  # another class is another object
    assert len(distinct(boxes([]), 0.5)) == 0
    chain = [[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]]  # the middle one is gone: it leaves none out
    assert distinct(boxes(chain, None, [0.9, 0.8, 0.7]), overlap=0.4).scores.tolist() == pytest.approx(
        [0.9, 0.7]
    )


def test_each_object_is_found_once():
    known = boxes([[0, 0, 10, 10], [20, 0, 30, 10]])
    found = boxes(
        [[1, 0, 11, 10], [0, 0, 10, 10], [20, 0, 30, 10], [50, 0, 60, 10]], None, [0.9, 0.8, 0.7, 0.6]
    )
    assert right(found, known).tolist() == [True, False, True, False]
    assert right(found, boxes([])).tolist() == [False] * 4
    assert right(boxes([]), known).tolist() == []


def test_precision_by_hand():
    one, none = torch.tensor([1.0, 0, 1]), torch.tensor([0.0, 1, 0])
    assert average_precision(one, none, 2) == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert average_precision(torch.zeros(3), none, 2) == 0
    assert math.isnan(average_precision(one, none, 0))


def some_pictures(seed: int, n: int = 12, classes: int = 3):
    g = torch.Generator().manual_seed(seed)
    known, found = [], []
    for _ in range(n):
        k = int(torch.randint(0, 9, (1,), generator=g))
        place, size = 80 * torch.rand(k, 2, generator=g), 20 + 20 * torch.rand(k, 2, generator=g)
        there = torch.cat([place, place + size], 1)
        kind = torch.randint(classes, (k,), generator=g)
        known.append(Boxes(there, kind, torch.ones(k)))
        moved = there + 3 * torch.randn(k, 4, generator=g)
        more = int(torch.randint(0, 6, (1,), generator=g))
        loose = 80 * torch.rand(more, 2, generator=g)
        all_there = torch.cat([moved, torch.cat([loose, loose + 15], 1)])
        kinds = torch.cat([kind, torch.randint(classes, (more,), generator=g)])
        found.append(Boxes(all_there, kinds, torch.rand(k + more, generator=g)))
    return found, known


def of_coco(found, known, classes: int) -> list[float]:
    """Return the average precision of each class as the authors of COCO count it."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    pictures = [{"id": k} for k in range(len(known))]
    there, said = [], []
    for k, (own, out) in enumerate(zip(known, found, strict=True)):
        for into, part in ((there, own), (said, out)):
            for corner, kind, score in zip(
                *map(list, (part.corners, part.classes, part.scores)), strict=True
            ):
                x, y, right_end, bottom = corner.tolist()
                w, h = right_end - x, bottom - y
                one = {"id": len(into) + 1, "image_id": k, "category_id": int(kind) + 1, "bbox": [x, y, w, h]}
                into.append({**one, "area": w * h, "iscrowd": 0, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        categories = [{"id": c + 1} for c in range(classes)]
        truth.dataset = {"images": pictures, "annotations": there, "categories": categories}
        truth.createIndex()
        judge = evaluation.COCOeval(truth, truth.loadRes(said), "bbox")
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"]  # (overlap, recall, class, area, most)
    return [float(precision[0, :, c, 0, -1].mean()) for c in range(classes)]


@pytest.mark.parametrize("seed", range(6))
def test_precision_as_the_field_counts_it(seed):
    found, known = some_pictures(seed)
    told = precisions(sum(counted([f], [k], 3) for f, k in zip(found, known, strict=True)))
    assert told == pytest.approx(of_coco(found, known, 3), abs=1e-6)


def test_the_metric_is_the_mean_over_classes_that_there_are():
    found, known = some_pictures(0, classes=2)
    metric = mean_average_precision(lambda x: [found[i] for i in x], lambda x: [known[i] for i in x], 3)
    parts = [torch.arange(0, 5), torch.arange(5, 12)]
    total = sum(metric.sums(part, part) for part in parts)
    assert metric.name == "map@0.5"
    assert metric.finish(total.tolist()) == pytest.approx(sum(precisions(counted(found, known, 2))) / 2)
