"""Functions of whole tensors, of stacks and of lists, beside the same of one tensor at a time."""

import pytest
import torch

from descend.methods import muon, psgd, scion, shampoo, sides, soap, stacks
from descend.methods.stacks import over

GENERATOR = torch.Generator().manual_seed(0)


def some(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def bases(shape):
    """One orthogonal matrix a side; of shape (0, 0) where the length is 0 or 7: too long."""
    return [some(0, 0) if n in (0, 7) else torch.linalg.qr(some(n, n))[0] for n in shape]


def gram(n, *more):
    x = some(*more, n, 2 * n)
    return x @ x.mT


def triangles(shape):
    """A factor a side, diagonal where the length is 7."""
    return [some(n).exp() if n == 7 else some(n, n).triu() + 3 * torch.eye(n).double() for n in shape]


def orders(shape):
    return [some(0) if n in (0, 7) else torch.randperm(n, generator=GENERATOR).double() for n in shape]


SHAPES = [(4, 6), (6, 4), (5, 5), (7, 3), (1, 1), (0, 4), (3, 2, 4), (2, 3, 2, 3)]


def calls(shape, seed):
    """Functions with their tensors and numbers, for a parameter of this shape."""
    GENERATOR.manual_seed(seed)
    x, n = some(*shape), len(shape)
    two = psgd._flat(shape)
    found = [
        (sides.rotated, [x, *bases(shape)], [0]),
        (sides.rotated_back, [x, *bases(shape)], [0]),
        (soap.reordered, [x, *orders(shape)], [0]),
        (soap.moved, [x, *bases(shape), *bases(shape)], [0]),
        (psgd.whitened, [x, *triangles(two)], []),
        (psgd.unwhitened, [x, *triangles(two)], []),
        (psgd.applied, [x, *triangles(two)], []),
        (psgd.probe, [x], [3]),
    ]
    joined = sides.merged(shape, 12)
    found.append((sides.rotated, [x, *bases(joined), *[some(0, 0)] * (n - len(joined))], [12]))
    for k, size in enumerate(shape):
        if x.numel() and size != 7:
            found += [
                (soap.first_basis, [some(size, size), x], [k, 0]),
                (sides.tracked, [gram(size), x], [0.9, 0.1, k, 0]),
            ]
        found.append((sides.tracked, [some(0, 0), x], [0.9, 0.1, k, 0]))
    for block in (2, 3, 10):
        cut = sides.blocks(x, block)
        grams = [gram(m, len(cut)) for m in cut.shape[1:]]
        found.append((shampoo.preconditioned, [x, *grams], [block]))
        for k, one in enumerate(grams):
            found.append((shampoo.tracked, [one, x], [0.9, 0.1, k, block]))
            if one.numel():
                found.append((shampoo.root, [one], [0.5, 1e-6, 4]))
    for k, q in enumerate(triangles(two)):
        found += [
            (psgd.fitted, [q, x, some(*shape)], [0.1, k]),
            (psgd.balanced, [q, *triangles(two)] if x.numel() else [q, q], []),
            (psgd.unit, [q], [2.0]),
        ]
    for stacked in (False, True):
        if not x.numel():
            continue
        rows = some(*muon.row_sizes(x, stacked)).square()
        found += [
            (muon.followed, [rows, x], [0.9, stacked]),
            (muon.evened, [x, rows], [stacked, 0]),
            (muon.evened, [x, rows], [stacked, 1]),
        ]
    found += [(scion.lines, [x], [dim, normalized]) for dim in (0, 1) for normalized in (0, 1)]
    found += [
        (soap.powered, [gram(5), bases((5,))[0]], []),
        (soap.by_size, [gram(5), bases((5,))[0]], []),
        (soap.next_basis, [some(5, 5), orders((5,))[0]], []),
        (sides.symmetric, [gram(5)], []),
    ]
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_stacks_are_worked_on_as_one_by_one(shape):
    for (function, *one, numbers), (_, *other, _) in zip(calls(shape, 1), calls(shape, 2), strict=True):
        both = [one[0], other[0]]
        before = [x.clone() for x in both[0]]
        sure = [function(*tensors, *numbers) for tensors in both]
        assert all(map(torch.equal, one[0], before)), function
        found = function.stacked(*map(torch.stack, zip(*both, strict=True)), *numbers)
        assert found.shape[1:] == sure[0].shape, function
        torch.testing.assert_close(
            found, torch.stack(sure), rtol=1e-12, atol=1e-12, msg=lambda m, f=function: f"{f}: {m}"
        )


def test_lists_of_many_shapes(monkeypatch):
    monkeypatch.setitem(stacks.TOGETHER, "cpu", 60)  # two or three at once
    shapes = [(4, 6), (6, 4), (4, 6), (3, 2, 4), (4, 6), (6, 4), (4, 6)]
    xs = [some(*shape) for i, shape in enumerate(shapes)]
    grams = [gram(shape[0]) for shape in shapes]
    numbers = [0.9, 0.1, 0, 0]
    sure = [sides.tracked(q, x, *numbers) for q, x in zip(grams, xs, strict=True)]
    for small in (0, 100):
        monkeypatch.setitem(stacks.SMALL, "cpu", small)
        found = over(sides.tracked, [grams, xs], numbers)
        torch.testing.assert_close(found, sure, rtol=1e-12, atol=1e-12)
        places = [q.clone() for q in grams]
        found = over(sides.tracked, [places, xs], numbers, in_place=True)
        assert all(x is y for x, y in zip(found, places, strict=True))
        torch.testing.assert_close(places, sure, rtol=1e-12, atol=1e-12)


def test_what_is_not_finite_spoils_no_other_root():
    one = gram(3, 2)
    bad = one.clone()
    bad[1, 0, 0] = torch.nan
    found = getattr(shampoo.root, "stacked")(  # noqa: B009
        torch.stack([one, bad]), 1.0, 1e-6, 4
    )
    assert found[1].isnan().all()
    torch.testing.assert_close(found[0], shampoo.root(one, 1.0, 1e-6, 4), rtol=1e-12, atol=1e-12)


def test_what_is_not_finite_spoils_no_other_basis():
    one = some(4, 6)
    found = getattr(soap.first_basis, "stacked")(  # noqa: B009
        some(2, 4, 4), torch.stack([one, one * torch.nan]), 0, 0
    )
    assert found[1].isnan().all()
    torch.testing.assert_close(found[0], soap.first_basis(some(4, 4), one, 0, 0), rtol=1e-12, atol=1e-12)
