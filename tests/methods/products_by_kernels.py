"""What ``test_products.py`` has run in processes of their own: Triton decides on import how it works."""

import os
import re
import sys
from types import SimpleNamespace
from unittest import mock

import torch

CUDA = 90  # H100's generation


def interpreted():
    """Products by the kernels, interpreted, beside float64."""
    os.environ["TRITON_INTERPRET"] = "1"
    from descend.methods import products

    tilings = [products.Tiling(32, 32, 4, 2), products.Tiling(64, 64, 4, 2, 128)]
    with mock.patch.object(products, "fast", lambda x: True):
        for tiling in tilings:
            with mock.patch.object(products, "tiling", lambda m, parts, own=tiling: own):
                # From below a tile to more rows of tiles than one group has; batches; none.
                for k, m, n in [(2, 70, 40), (1, 64, 64), (3, 1, 5), (0, 4, 4)]:
                    for dtype, most in ((torch.float16, 1e-3), (torch.float32, 1e-6)):
                        _symmetric(products, k, m, n, dtype, most)
                    _general(products, k, m, n, 50)
        with mock.patch.object(products, "tiling", lambda m, parts: tilings[0]):
            _symmetric(products, 1, 300, 33, torch.float16, 1e-3)  # more rows of tiles than a group has
            _numbers_of_all_sizes(products)


def on_device():
    """Products as they are on a device, beside float64: sizes that networks have, and odd ones."""
    torch.set_default_device("cuda")
    from descend.methods import products

    sizes = [(2, 70, 40), (1, 64, 64), (3, 1, 5), (0, 4, 4), (12, 768, 3072), (4, 300, 1030), (1, 2304, 768)]
    with mock.patch.object(products, "fast", lambda x: True):
        for k, m, n in sizes:
            for dtype, most in ((torch.bfloat16, 1e-2), (torch.float16, 2e-3), (torch.float32, 1e-6)):
                _symmetric(products, k, m, n, dtype, most, side=128)
            _general(products, k, m, n, 50)
        _numbers_of_all_sizes(products)


def _near(found, sure, most):
    error = float((found.double() - sure).norm())
    assert error <= most * float(sure.norm()) + 1e-300, (error, found.shape, found.dtype)


def _symmetric(products, k, m, n, dtype, most, side=64):
    tall = torch.randn(k, n, m).to(dtype)
    apart = torch.randn(2 * k, m + 3, n + 5).to(dtype)[::2, 1:-2, 2:-3]  # with gaps
    for a in (tall.mT, tall.mT.contiguous(), apart):
        sure = a.double() @ a.double().mT
        found = products.symmetric(a, a)
        _near(found, sure, most)
        assert torch.equal(found.tril(-1).mT.triu(side), found.triu(side))  # beyond a tile it is a mirror
        low = torch.randn(k, m, m).to(dtype).tril()
        whole = low + low.tril(-1).mT
        d = low + torch.randn(k, m, m).triu(1) if dtype == torch.float32 else whole.clone()
        found = products.symmetric(a, a, d, 0.5, 2.0, out=d, mirrors=False)
        assert found is d
        _near(found.tril(), (0.5 * sure + 2 * whole.double()).tril(), most)
    r = products.symmetric(apart, apart, alpha=1 / max(n, 1))
    r = ((r + r.mT) / 2).contiguous()
    _near(products.symmetric(r, r, r, -0.5, 3.0), -0.5 * (r.double() @ r.double()) + 3 * r.double(), most)


def _general(products, k, m, n, o):
    a = torch.randn(k, m, n)
    for b in (torch.randn(k, n, o), torch.randn(k, o, n).mT):
        _near(products.product(a, b), a.double() @ b.double(), 1e-6)


def _numbers_of_all_sizes(products):
    """Scales that float16 does not have; one matrix of zeros; one that is not finite spoils no other."""
    scales = torch.tensor([1e-38, 1e-30, 1.0, 1e15, 0.0]).view(-1, 1, 1)
    a, b = torch.randn(5, 40, 70) * scales, torch.randn(5, 70, 40)
    found = products.product(a, b)
    for one, sure in zip(found, a.double() @ b.double(), strict=True):
        _near(one, sure, 1e-6)
    graded = torch.randn(1, 40, 40) * torch.logspace(0, -12, 40)  # the small columns count little
    found, sure = products.product(graded, graded.mT), graded.double() @ graded.double().mT
    _near(found, sure, 1e-6)
    a[1, 0, 0] = torch.inf
    found = products.product(a, b)
    assert not found[1, 0].isfinite().any() and bool(found[[0, 2, 3, 4]].isfinite().all())


def compiled():
    """Kernels as a GPU runs them: tensor cores, no registers in memory."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from descend.methods import product_kernels
    from descend.methods.products import tiling

    kernel = product_kernel = product_kernels.product_kernel
    for parts, symmetric, m in ((1, True, 768), (2, False, 768), (1, True, 200)):
        how = tiling(m, parts)
        half, out = ("bf16", "bf16") if parts == 1 else ("fp16", "fp32")
        constants = {"SYMMETRIC": symmetric, "TWO_PARTS": parts == 2, "EVEN": True, "GROUP": 8}
        constants |= {"SIDE": how.side, "DEPTH": how.depth, "a_column": 1, "b_column": 1, "d_column": 1}
        constants |= {"c_column": 1}
        types = dict.fromkeys(kernel.arg_names, "i32")
        types |= {"a": f"*{half}", "b": f"*{half}", "d": f"*{out}", "c": f"*{out}", "a_scale": "*fp32"}
        types |= {"b_scale": "*fp32", "alpha": "fp32", "beta": "fp32", "a_low": "i64", "b_low": "i64"}
        types |= dict.fromkeys(constants, "constexpr")
        whole = [i for i, name in enumerate(kernel.arg_names) if types[name][0] in "*i" and name != "mirrors"]
        found = triton.compile(
            ASTSource(product_kernel, types, constants, {(i,): [["tt.divisibility", 16]] for i in whole}),
            target=GPUTarget("cuda", CUDA, 32),
            options={"num_warps": how.warps, "num_stages": how.stages, "maxnreg": how.registers},
        )
        text = found.asm["ptx"]
        multiplied = set(re.findall(r"wgmma\.mma_async\S*", text))
        assert multiplied and all(
            x.endswith("f16.f16" if half == "fp16" else "bf16.bf16") for x in multiplied
        )
        assert not re.search(r"(?<!wg)mma\.sync", text)
        assert "cp.async" in text and "st.global.v4" in text
        assert found.metadata.shared <= 227 * 1024 // (2 if how.registers == 128 else 1)


if __name__ == "__main__":
    torch.manual_seed(0)
    SimpleNamespace(interpreted=interpreted, compiled=compiled, on_device=on_device).__dict__[sys.argv[1]]()
