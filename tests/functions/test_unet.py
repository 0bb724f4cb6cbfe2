"""What a net for masks is made of, learned by and judged by, held against explicit computations."""

import numpy as np
import pytest
import torch

from descend.functions.components import components
from descend.functions.regions import TILE, Regions, padded, tiles
from descend.functions.unet import VOID, UNet, dice, segmentation


def test_dice_is_that_of_sets():
    g = torch.Generator().manual_seed(0)
    output = torch.randn(3, 4, 9, 7, generator=g)
    target = torch.randint(0, 4, (3, 9, 7), generator=g)
    target[torch.rand(target.shape, generator=g) < 0.1] = VOID
    metric = dice(4)
    sums = sum(metric.sums(output[k : k + 1], target[k : k + 1]) for k in range(3))
    told = output.argmax(1)
    known = [(k, y, x) for k in range(3) for y in range(9) for x in range(7) if target[k, y, x] != VOID]
    values = []
    for c in (1, 2, 3):
        a, b = {p for p in known if told[p] == c}, {p for p in known if target[p] == c}
        values.append(2 * len(a & b) / (len(a) + len(b)))
    assert metric.finish(sums.tolist()) == pytest.approx(sum(values) / 3)
    perfect = torch.nn.functional.one_hot(target.masked_fill(target == VOID, 0), 4).movedim(-1, 1).float()
    assert metric.finish(metric.sums(perfect, target).tolist()) == 1


def test_loss_is_least_where_all_is_right_and_void_has_no_say():
    target = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(1))
    right = 20 * torch.nn.functional.one_hot(target, 3).movedim(-1, 1).float()
    assert float(segmentation(right, target)) < 1e-3 < float(segmentation(-right, target))
    void = target.clone()
    void[:, :4] = VOID
    other = right.clone()
    other[:, :, :4] = torch.randn(2, 3, 4, 8)
    assert float(segmentation(other, void)) == pytest.approx(float(segmentation(right, void)))
    assert float(segmentation(right, torch.full_like(target, VOID))) == 0


def test_unet_gives_an_answer_a_pixel_and_starts_without_an_opinion():
    net = UNet(3, 5, width=4)
    out = net(torch.randn(2, 3, 48, 32))
    assert out.shape == (2, 5, 48, 32)
    assert float(out.detach().softmax(1).max()) < 0.3


@pytest.mark.parametrize("size", [(30, 40), (TILE, TILE + 1), (TILE * 2 + 5, 17)])
def test_tiles_cover_each_pixel_once(size):
    seen = torch.zeros(size)
    for rows, columns, *own in tiles(*size):
        seen[rows, columns][own[0], own[1]] += 1
    assert (seen == 1).all()


def test_padding_mirrors_even_what_is_tiny():
    x = torch.arange(6, dtype=torch.uint8).view(2, 3, 1)
    y = padded(x)
    assert y.shape == (16, 16, 1) and y[:2, :3].equal(x) and y.dtype == torch.uint8
    assert y[2, 0] == x[0, 0] and y[0, 3] == x[0, 1]


def test_pieces_show_picture_and_mask_alike():
    picture = torch.randint(0, 2, (12, 15), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mask = picture.repeat_interleave(8, 0).repeat_interleave(8, 1)
    data = Regions([(200 * mask[..., None], mask)], side=32, light=0.0)
    batches = data.batches(6, 3, torch.device("cpu"))
    x, y = batches.next()
    known = y != VOID
    agreed = ((x[..., 0] > 100) == (y == 1))[known].float().mean()
    assert x.shape == (6, 32, 32, 1) and known.float().mean() > 0.7 and agreed > 0.97
    state = batches.state()
    x, y = batches.next()
    batches.load_state(state)
    again = batches.next()
    assert x.equal(again[0]) and y.equal(again[1])


def test_passes_see_every_pixel_once():
    mask = torch.ones(70, 45, dtype=torch.uint8)
    seen = [y for _, y in Regions([(mask[..., None], mask)]).passes(8, torch.device("cpu"))]
    assert sum(int((y == 1).sum()) for y in seen) == mask.numel()


def test_components_agree_with_a_flood():
    g = np.random.default_rng(0)
    for density in (0.2, 0.4, 0.6):
        mask = g.random((23, 31)) < density
        left = {(int(y), int(x)) for y, x in zip(*mask.nonzero(), strict=True)}
        count = 0
        while left:
            count += 1
            edge = [left.pop()]
            while edge:
                y, x = edge.pop()
                near = {(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
                left -= near
                edge += near
        assert components(mask) == count
    assert components(np.zeros((4, 4), bool)) == 0 and components(np.ones((1, 1), bool)) == 1
