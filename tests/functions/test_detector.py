"""The detector: what it is asked for is what it finds, and pictures and boxes are changed together."""

import pytest
import torch

from descend.functions.augmentations import Augmented, SeenOtherwise
from descend.functions.boxes import iou
from descend.functions.detector import STRIDE, UNIT, DetectionLoss, Detector, found, known, places

H, W = 64, 96


def target(*pictures: list[tuple[float, ...]]) -> torch.Tensor:
    most = max(map(len, pictures))
    rows = [[*picture, *[(-1.0, 0, 0, 0, 0)] * (most - len(picture))] for picture in pictures]
    return torch.tensor(rows).view(len(pictures), most, 5)


THERE = target(
    [(0, 0.1, 0.1, 0.4, 0.5), (1, 0.3, 0.2, 0.5, 0.6), (0, 0.7, 0.5, 0.95, 0.9)],
    [(1, 0.0, 0.0, 1.0, 1.0), (0, 0.1, 0.1, 0.25, 0.3)],
    [],
)


def right_output(there: torch.Tensor, sure: float = 8.0) -> torch.Tensor:
    """Return what a detector that knows would say."""
    output = torch.full((len(there), 6, H // STRIDE, W // STRIDE), -sure)
    middles = places(output)
    for n, rows in enumerate(there):
        objects = rows[rows[:, 0] >= 0]
        size = (objects[:, 3:] - objects[:, 1:3]).prod(-1)
        for kind, *corners in objects[size.argsort(descending=True)].tolist():  # a place is the smaller one's
            box = torch.tensor([c * s for c, s in zip(corners, [W, H, W, H], strict=True)])
            away = torch.cat([middles - box[:2, None, None], box[2:, None, None] - middles])
            output[n, 2:] = torch.where(away.amin(0) > 0, (away.clamp(min=0.1) / UNIT).log(), output[n, 2:])
            column, row = ((box[:2] + box[2:]) / 2 // STRIDE).long().tolist()
            output[n, int(kind), row, column] = sure
    return output


def test_what_is_known_is_found():
    for own, there in zip(found(right_output(THERE), least=0.5), known(THERE), strict=True):
        assert len(own) == len(there)
        agree = iou(own.corners[:, None], there.corners[None]) * (own.classes[:, None] == there.classes[None])
        assert not len(there) or (agree.max(0).values > 0.98).all()


def test_the_loss_is_least_where_it_is_right():
    loss = DetectionLoss()
    best = loss(right_output(THERE), THERE)
    assert 0 <= best < 0.35  # boxes a little off at places between objects
    away = right_output(THERE).roll(1, -1)
    assert loss(away, THERE) > 10 * best
    other = right_output(THERE)
    other[:, :2] = other[:, [1, 0]]
    assert loss(other, THERE) > 10 * best


def test_pictures_without_objects_cost_nothing_but_what_is_seen_in_them():
    none = target([], [])[:, :0].view(2, 0, 5)
    empty = torch.cat([none, torch.full((2, 1, 5), -1.0)], 1)
    silent = torch.full((2, 6, 16, 24), -9.0, requires_grad=True)
    loss = DetectionLoss()(silent, empty)
    assert float(loss.detach()) < 1e-3
    loss.backward()
    assert silent.grad.isfinite().all()


def test_the_gradient_is_finite_at_the_start():
    torch.manual_seed(0)
    net = Detector(3, 2, width=4)
    DetectionLoss()(net(torch.randn(3, 3, H, W)), THERE).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    probable = net(torch.randn(3, 3, H, W))[:, :2].sigmoid()
    assert float(probable.detach().mean()) == pytest.approx(0.01, abs=0.005)


@pytest.mark.parametrize("seed", range(20))
def test_boxes_move_with_what_they_hold(seed):
    g = torch.Generator().manual_seed(seed)
    picture = torch.zeros(1, H, W, 1, dtype=torch.uint8)
    left, top = int(torch.randint(8, 50, (1,), generator=g)), int(torch.randint(8, 30, (1,), generator=g))
    right, bottom = left + 30, top + 24
    picture[0, top:bottom, left:right] = 255
    rows = torch.tensor([[[0, left / W, top / H, right / W, bottom / H]]])
    pictures, moved = SeenOtherwise(upright=seed % 2 == 0, light=0)((picture, rows), g)
    assert pictures.dtype == torch.uint8 and pictures.shape == picture.shape
    bright = pictures[0, :, :, 0] > 127
    across, down = bright.any(0).nonzero().flatten(), bright.any(1).nonzero().flatten()
    seen = torch.tensor([across[0] / W, down[0] / H, (across[-1] + 1) / W, (down[-1] + 1) / H])
    if moved[0, 0, 0] >= 0:
        # what is mirrored at the edge of the picture may lengthen it by as much as is cut off
        inside = (moved[0, 0, 1:] > 0.02).all() and (moved[0, 0, 1:] < 0.98).all()
        assert not inside or torch.allclose(seen, moved[0, 0, 1:], atol=0.02)


def test_light_changes_pictures_and_no_boxes():
    picture = torch.full((64, 8, 8, 3), 100, dtype=torch.uint8)
    rows = torch.tensor([[[0, 0.2, 0.2, 0.8, 0.8]]]).expand(64, 1, 5).clone()
    change = SeenOtherwise(upright=True, zoom=1.0, light=0.25)
    pictures, moved = change((picture, rows), torch.Generator().manual_seed(0))
    means = pictures.float().mean((1, 2))
    assert means.min() >= 100 * 0.75 * 0.875 - 1 and means.max() <= 100 * 1.25 * 1.125 + 1
    assert means.std(0).min() > 5
    widths = moved[..., 3] - moved[..., 1]
    torch.testing.assert_close(widths, torch.full_like(widths, 0.6))


def test_batches_are_found_again():
    x = torch.randint(256, (10, 16, 16, 3), dtype=torch.uint8)
    data = Augmented(x, THERE[:1].expand(10, -1, -1).contiguous(), change=SeenOtherwise(upright=False))
    cpu = torch.device("cpu")
    one, other = data.batches(4, 3, cpu), data.batches(4, 3, cpu)
    for _ in range(5):
        one.next()
    other.load_state(one.state())
    for a, b in zip(one.next(), other.next(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(torch.cat([b[0] for b in data.passes(3, cpu)]), x)  # not changed
    assert torch.equal(data.tensors[0], x)
