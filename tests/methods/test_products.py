"""Products of matrices on a GPU: their kernels on the CPU, and what is done where there are none."""

import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch

from descend.methods import orthogonalise, products
from descend.methods.muon import COEFFICIENTS
from descend.methods.orthogonalise import orthogonal


@pytest.mark.parametrize("what", ["interpreted", "compiled"])
def test_kernels(what):
    """In a process of its own: see there."""
    pytest.importorskip("triton")
    script = Path(__file__).with_name("products_by_kernels.py")
    done = subprocess.run([sys.executable, script, what], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_kernels_they_are_torchs():
    a, b = torch.randn(3, 5, 7).double(), torch.randn(3, 7, 4).double()
    d = torch.randn(3, 5, 5).double()
    torch.testing.assert_close(products.product(a, b), a @ b)
    torch.testing.assert_close(products.symmetric(a, a, alpha=2.0), 2 * a @ a.mT)
    sure = 2 * a @ a.mT + 0.5 * d
    assert products.symmetric(a, a, d, 2.0, 0.5, out=d) is d
    torch.testing.assert_close(d, sure)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_what_has_one_small_side_goes_together(dtype):
    """Long, wide, square, in one list, as on a GPU: as one by one, but for the rounding of bfloat16."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(24, 60), (60, 24), (24, 24), (24, 60), (2, 24, 30), (24, 3, 10), (30, 40)]
    xs = [torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes]
    scales = [1.0, 2.0, 1.0, 1.0, 3.0, 0.5, 1.0]
    ys = [x if i == 4 else x.flatten(1) for i, x in enumerate(xs)]
    sure = [
        orthogonal(y.double(), *COEFFICIENTS, 1e-7, 5, scale) for y, scale in zip(ys, scales, strict=True)
    ]
    # The kernels' own decision stands in for a GPU: the products are torch's then.
    with (
        mock.patch.object(orthogonalise.products, "fast", lambda x: True),
        mock.patch.object(orthogonalise, "_dtype", lambda dtype, device: dtype),
        mock.patch.object(orthogonalise.products, "symmetric", torchs),
    ):
        found = orthogonalise.each_orthogonal(ys, *COEFFICIENTS, 1e-7, 5, scales=scales)
    most = {torch.float64: 1e-12, torch.float32: 1e-3, torch.bfloat16: 0.1}[dtype]
    for x, y in zip(found, sure, strict=True):
        assert x.dtype == dtype
        assert float((x.double() - y).norm() / y.norm()) <= most


def torchs(a, b, d=None, alpha=1.0, beta=1.0, out=None, mirrors=True):
    found = alpha * (a @ b.mT) + (0 if d is None else beta * d)
    return found if out is None else out.copy_(found)


def test_a_scale_is_its_own_stack():
    """Matrices of one shape, but with lengths of their own, as convolutions' beside others' in Scion."""
    xs = [torch.randn(4, 6).double() for _ in range(3)]
    found = orthogonalise.each_orthogonal(xs, *COEFFICIENTS, 1e-7, 5, scales=[1.0, 2.0, 1.0])
    for x, y, scale in zip(xs, found, [1.0, 2.0, 1.0], strict=True):
        torch.testing.assert_close(y, orthogonal(x, *COEFFICIENTS, 1e-7, 5, scale))
