"""How many vectors of the parameters' size a curvature matrix and its estimates hold at once."""

import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import descend
from descend.functions.curvature import Curvature


class Live(TorchDispatchMode):
    """Counts the bytes of tensors that are alive and were made within it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.alive: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        old = {t.untyped_storage()._cdata for t in self.tensors((args, kwargs))} - self.alive
        for storage in [t.untyped_storage() for t in self.tensors(result)]:
            key, size = storage._cdata, storage.nbytes()
            if key not in self.alive and key not in old:
                self.alive.add(key)
                self.now += size
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self.gone, key, size)
        return result

    def tensors(self, tree) -> list[Tensor]:
        return [t for t in tree_leaves(tree) if isinstance(t, Tensor) and not t._is_zerotensor()]

    def gone(self, key: int, size: int) -> None:
        self.alive.discard(key)
        self.now -= size


@pytest.mark.parametrize(
    ("kind", "what", "most"),
    [
        ("hessian", lambda c: c.top(2, memory=2, budget=6), 6),
        ("hessian", lambda c: c.density(4, 2), 6),
        ("hessian", lambda c: c.trace(6, memory=2), 6),
        ("hessian", lambda c: c.diagonal(4, memory=2), 7),
        ("gauss-newton", lambda c: c.top(2, memory=2, budget=6), 5),
        ("empirical-fisher", lambda c: c.diagonal(4, memory=2), 6),
    ],
)
def test_vectors_held(kind: str, what, most: int):
    """One of them is the gradient; the network has one large matrix, which is the worst case."""
    net = nn.Sequential(nn.Linear(300, 400), nn.Tanh(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 3))
    p = descend.Problem(net, "cross_entropy", train=(torch.randn(4, 300), torch.randint(3, (4,))))
    curvature = Curvature(p, kind, batch=2)
    with Live() as live:
        what(curvature)
    assert live.most / (4 * p.count) < most + 0.05


@pytest.mark.parametrize(("name", "most"), [("newton", 6), ("newtoncg", 6), ("gaussnewton", 6), ("cg", 6)])
def test_vectors_that_a_method_holds(name: str, most: int):
    """Beyond the gradient, of the same network, over some steps."""
    net = nn.Sequential(nn.Linear(300, 400), nn.Tanh(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 3))
    p = descend.Problem(net, "cross_entropy", train=(torch.randn(4, 300), torch.randint(3, (4,))))
    descent = descend.Descent(p, name)
    with Live() as live:
        for _ in range(3):
            loss = descent.gradient()
            descent.update(loss)
    print(name, live.most / (4 * p.count) - 1)
    assert live.most / (4 * p.count) - 1 < most + 0.1
