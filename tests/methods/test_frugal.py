"""What the frugal methods keep, and shapes beyond the common ones."""

import sys
import types
from importlib import import_module

import pytest
import torch
from cases import CASES, apart, copies, executors, give, gradients, methods

from descend.errors import UsageError
from descend.methods import CAME, TABLE, Adafactor, AdamMini, AdamW, GaLore

FRUGAL = ["adafactor", "came", "adammini", "galore"]


def some(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


def both(mine, parameters, sure, others, steps=30, tiny=False):
    """Descend both along the same gradients and return how far apart they come."""
    for _, found in zip(range(steps), gradients(parameters), strict=False):
        if not tiny:
            found[-1] = found[-1] * 1e8
        give(parameters, found)
        give(others, found)
        mine.step()
        sure.step()
    return max(apart(p, q) for p, q in zip(parameters, others, strict=True))


# Memory -----------------------------------------------------------------------------------------
def kept(name, w, **hyperparameters):
    """Bytes in the state of one parameter after a step, for each of its numbers."""
    w.grad = torch.randn(w.shape, generator=torch.Generator().manual_seed(0), dtype=w.dtype)
    method = TABLE[name]([w], **hyperparameters)
    method.step()
    tensors = [x for x in method.state[w].values() if isinstance(x, torch.Tensor)]
    return sum(x.untyped_storage().nbytes() for x in tensors) / w.numel()


@methods
def test_memory_is_as_said(name):
    w = torch.nn.Parameter(torch.ones(1024, 1024))
    if CASES[name].graph:
        pytest.skip("it needs the gradient's graph")
    # Numbers for the whole tensor are not counted.
    assert kept(name, w) == pytest.approx(TABLE[name].bytes_per_parameter, abs=1e-4)


def test_the_frugal_keep_less_than_adam():
    sizes = {name: TABLE[name].bytes_per_parameter for name in FRUGAL}
    assert sizes == {"adafactor": 8 / 1024, "came": 4 + 16 / 1024, "adammini": 4 + 4 / 1024, "galore": 1.5}


def test_memory_of_other_shapes_and_settings():
    (wide,) = some((64, 256), dtype=torch.float32)
    numbers = wide.numel()
    assert kept("galore", wide, rank=4) == 4 * 4 * (64 + 2 * 256) / numbers
    assert kept("galore", wide, rank=4, proj_type="reverse_std") == 4 * 4 * (256 + 2 * 64) / numbers
    assert kept("galore", wide, rank=1000) == 4 * 64 * (64 + 2 * 256) / numbers  # no more than there are
    assert kept("adammini", wide, block="tensor") == 4 + 4 / numbers
    (picture,) = some((8, 4, 3, 3), dtype=torch.float32)
    assert kept("adafactor", picture) == 4 * 8 * 4 * (3 + 3) / picture.numel()
    assert kept("adammini", picture) == 4 + 4 * 8 / picture.numel()


# More dimensions, other blocks ------------------------------------------------------------------
@executors
@pytest.mark.parametrize(
    ("cls", "sure"),
    [(Adafactor, torch.optim.Adafactor), (CAME, lambda p, lr: import_module("came_pytorch").CAME(p, lr=lr))],
)
def test_factors_of_larger_tensors(cls, sure, executor):
    """The last two dimensions are the matrix, as torch's and the authors' code have it."""
    parameters = some((4, 3, 2, 5), (3, 4, 6), (5, 1))
    others = copies(parameters)
    mine = cls(parameters, lr=0.01, executor=executor)
    assert both(mine, parameters, sure(others, lr=0.01), others) <= 1e-12


@executors
def test_adam_mini_by_hand(executor):
    """One mean square for each output of a convolution, and for each head of a query."""
    (w,) = parameters = some((4, 3, 2, 2))
    sure = w.detach().clone()
    mine, m, v = AdamMini(parameters, lr=0.01, executor=executor), 0 * sure, torch.zeros(4, dtype=sure.dtype)
    for t, (g,) in zip(range(1, 31), gradients(parameters), strict=False):
        give(parameters, [g])
        mine.step()
        m = 0.9 * m + 0.1 * g
        for i in range(4):
            v[i] = 0.999 * v[i] + 0.001 * g[i].square().sum() / 12
            sure[i] -= 0.01 * (m[i] / (1 - 0.9**t)) / ((v[i] / (1 - 0.999**t)).sqrt() + 1e-8)
    assert apart(w, sure) <= 1e-12


def test_adam_mini_by_heads_is_the_authors():
    """Queries cut into heads, each a parameter of block ``tensor``, are their query."""
    (query,) = some((8, 8))
    heads = [torch.nn.Parameter(x.clone()) for x in query.detach().chunk(4)]
    theirs = import_module("adam_mini").Adam_mini(
        [("query", query)], lr=0.01, dim=8, n_heads=4, verbose=False
    )
    mine = AdamMini(heads, lr=0.01, block="tensor")
    for _, (g,) in zip(range(30), gradients([query]), strict=False):
        give([query], [g])
        give(heads, list(g.chunk(4)))
        mine.step()
        theirs.step()
    assert apart(torch.cat([x.detach() for x in heads]), query) <= 1e-12


# GaLore -----------------------------------------------------------------------------------------
@pytest.fixture
def galore_torch(monkeypatch):
    """The authors' package, without what only its eight-bit form needs."""
    absent = types.ModuleType("bitsandbytes.optim.optimizer")
    absent.Optimizer2State = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, absent.__name__, absent)
    for parent in ("bitsandbytes", "bitsandbytes.optim"):
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    return pytest.importorskip("galore_torch", reason="it needs transformers and bitsandbytes")


@pytest.mark.parametrize("proj_type", ["std", "reverse_std", "left", "right"])
def test_galore_is_the_authors(proj_type, galore_torch):
    """Over one basis (theirs is in float32, with signs as they come); ε before the correction is theirs."""
    parameters = some((8, 6), (6, 8), (5, 5), (7,))
    others = copies(parameters)
    h = {"rank": 3, "update_proj_gap": 100, "scale": 0.25, "proj_type": proj_type}
    mine = GaLore(parameters, lr=0.01, weight_decay=0.0, eps=0.0, **h)
    groups = [{"params": others[:3], **h}, {"params": others[3:]}]
    theirs = galore_torch.GaLoreAdamW(groups, lr=0.01, eps=0.0, no_deprecation_warning=True)
    assert both(mine, parameters, theirs, others) <= 1e-5


def test_galore_of_full_rank_is_adam_in_a_turned_frame():
    """With all directions and a gradient that keeps to one line, a basis changes nothing."""
    direction = torch.outer(torch.tensor([1.0, 0, 0, 0]), torch.tensor([0, 1.0, 0])).double()
    (p,) = parameters = some((4, 3))
    others = copies(parameters)
    mine, sure = GaLore(parameters, lr=0.01, scale=1.0, update_proj_gap=3), AdamW(others, lr=0.01, eps=1e-6)
    sure.param_groups[0]["weight_decay"] = 0.0
    for t in range(10):
        give(parameters, [(t + 1) * direction])
        give(others, [(t + 1) * direction])
        mine.step()
        sure.step()
    assert apart(p, others[0]) <= 1e-12


@executors
def test_galore_seeks_directions_on_some_steps_alone(executor):
    (w,) = parameters = some((6, 4))
    method = GaLore(parameters, rank=2, update_proj_gap=5, executor=executor)
    bases = []
    for _, found in zip(range(11), gradients(parameters), strict=False):
        give(parameters, found)
        method.step()
        bases.append(method.state[w]["basis"].clone())
    changed = [i for i in range(1, 11) if not torch.equal(bases[i], bases[i - 1])]
    assert changed == [5, 10]
    assert all(torch.allclose(b.T @ b, torch.eye(2, dtype=b.dtype)) for b in bases)


# Hyperparameters --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("adafactor", {"beta2_decay": 0.5}, "beta2_decay at most 0"),
        ("adafactor", {"d": 0.5}, "d at least 1"),
        ("adafactor", {"eps": (None, None)}, "eps at least 0"),
        ("came", {"clip_threshold": 0.0}, "clip_threshold above 0"),
        ("came", {"betas": (0.9, 0.99)}, "3 numbers for betas"),
        ("adammini", {"block": "head"}, "row or tensor"),
        ("galore", {"rank": 0}, "rank at least 1"),
        ("galore", {"proj_type": "full"}, "std or reverse_std"),
    ],
)
def test_out_of_range(name, given, expected):
    with pytest.raises(UsageError, match=expected):
        TABLE[name](some((3, 3)), **given)


def test_two_adafactors_of_one_process_differ_in_what_eps_is():
    """A number and None are two paths through the rule; the one is not taken for the other."""
    results = []
    for eps in ((1e-3, 1e-3), (None, 1e-3), (0.5, 1e-3)):
        parameters = some((3, 4), (5,))
        others = copies(parameters)
        mine, sure = Adafactor(parameters, eps=eps), torch.optim.Adafactor(others, eps=eps)
        assert both(mine, parameters, sure, others, 5, tiny=True) <= 1e-12
        results.append(parameters[1].detach())
    assert not torch.equal(results[0], results[1])
