"""One of two processes that descend a sharded network with every method, beside one that is whole.

Started by ``test_sharding.py`` once for all methods: ``python two_processes.py RANK FOLDER``. The first writes
``FOLDER/found.json``: case → the largest relative difference, or what went wrong.
"""

import datetime
import json
import sys
import traceback
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Shard, distribute_tensor

from descend.methods import TABLE
from descend.methods.executors.sharded import sharded

VARIANTS = {
    "plain": {},
    "clipped": {"clip_norm": 0.1},
    "modified": {"clip_norm": 0.1, "cautious": True, "average": 0.9},
}
GIVEN = {"sophia": {"estimator": "gauss-newton-bartlett"}}
"""Hyperparameters without which a method cannot be driven here."""


TRAINED = ("adamw", "lion", "lamb", "prodigy", "adafactor", "muon", "soap", "schedulefreeadamw", "sophia")
"""Methods that descend by a loss too, through ``fully_shard``'s own gathering and scattering."""


class Network(nn.Module):
    """Matrices, a convolution, vectors, and a vector of one number, few of whose sides are even."""

    def __init__(self, dtype):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv1d(1, 3, 3, dtype=dtype)
        self.first = nn.Linear(9, 7, dtype=dtype)
        self.norm = nn.LayerNorm(7, dtype=dtype)
        self.last = nn.Linear(7, 7, dtype=dtype)
        self.scale = nn.Parameter(torch.ones(1, dtype=dtype))

    def forward(self, x):
        x = torch.tanh(self.convolution(x.unsqueeze(1))).flatten(1)
        return self.last(torch.tanh(self.norm(self.first(x)))) * self.scale


class Alone(nn.Module):
    """Parameters alone, for methods that differentiate gradients: ``fully_shard`` gives none with a graph."""

    def __init__(self, dtype, mesh=None):
        super().__init__()
        torch.manual_seed(0)
        found = [torch.randn(shape, dtype=dtype) for shape in ((5, 3), (3, 2, 3), (7,), (1,))]
        if mesh is not None:
            found = [distribute_tensor(x, mesh, [Shard(0)]) for x in found]
        self.all = nn.ParameterList(map(nn.Parameter, found))

    def forward(self, x):
        return sum((p**4 / 4 + p**2).sum() for p in self.all)


def fits(cls, model):
    return [p for p in model.parameters() if cls.takes is None or cls.takes(p)]


def by_a_loss(model, opt, step):
    """Take a step by a loss on the same data in each process, so that gradients are those of one."""
    x = torch.linspace(-1, 1, 20, dtype=next(model.parameters()).dtype).reshape(4, 5)
    (model(x * (step + 1)) ** 2).sum().backward(create_graph=opt.needs_graph)


def given(model, opt, step):
    """Hand out gradients instead: no loss, and little to wait for."""
    generator = torch.Generator().manual_seed(step)
    for p in model.parameters():
        g = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        p.grad = distribute_tensor(g, p.device_mesh, p.placements, src_data_rank=None) if sharded(p) else g


def descended(model, opt, backward, steps=5):
    for step in range(steps):
        if getattr(opt, "needs_estimate", False):
            backward(model, opt, step + 100)
            opt.estimate(batch_size=4)
        opt.zero_grad()
        (by_a_loss if opt.needs_graph else backward)(model, opt, step)
        opt.step()


def whole(x):
    return x.full_tensor() if hasattr(x, "full_tensor") else x


def apart(mine, other):
    """The largest difference between numbers of two models, or states, relative to each tensor's size."""
    worst = 0.0
    for x, y in zip(mine, other, strict=True):
        x, y = whole(x.detach()).double(), y.detach().double()
        assert x.shape == y.shape, (x.shape, y.shape)
        if x.numel():
            worst = max(worst, float((x - y).abs().max() / y.abs().max().clamp_min(1e-300)))
        if not torch.isfinite(x).all():
            return float("inf")
    return worst


def pair(name, mesh, executor, given, dtype=torch.float64):
    """Return a method over a sharded model and over a whole one, and both models."""
    cls = TABLE[name]
    found = []
    graph = cls([nn.Parameter(torch.ones(2, 2))], **GIVEN.get(name, {})).needs_graph
    for over in (mesh, None):
        if graph:
            model = Alone(dtype, over)
        else:
            model = Network(dtype)
            if over is not None:
                fully_shard(model, mesh=over)
        parameters = fits(cls, model)
        run = executor if over is not None else "foreach"
        found += [model, cls(parameters, executor=run, **GIVEN.get(name, {}), **given)]
    return found


def kept(opt):
    """Return all that is kept, in order; numbers for all too."""
    found = [x for group in opt.param_groups for x in group.values() if isinstance(x, torch.Tensor)]
    for group in opt.param_groups:
        for p in group["params"]:
            found += [x for x in opt.state[p].values() if isinstance(x, torch.Tensor)]
    return found


def agrees(name, mesh, executor="fused", variant="plain", backward=given):
    """Five steps; parameters, state and points of evaluation are those of one process."""
    model, opt, alone, sure = pair(name, mesh, executor, VARIANTS[variant])
    descended(model, opt, backward)
    descended(alone, sure, backward)
    worst = apart(model.parameters(), alone.parameters())
    worst = max(worst, apart(kept(opt), kept(sure)))
    with opt.evaluation(), sure.evaluation():
        return max(worst, apart(model.parameters(), alone.parameters()))


def cases(mesh):
    for name in TABLE:
        for variant in VARIANTS:
            yield f"{name}-{variant}", partial(agrees, name, mesh, variant=variant)
        yield f"{name}-reference", partial(agrees, name, mesh, "reference", "modified")
    for name in TRAINED:
        yield f"{name}-trained", partial(agrees, name, mesh, backward=by_a_loss)


def main(rank, folder):
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), 2)
    dist.init_process_group(
        "gloo", store=store, rank=rank, world_size=2, timeout=datetime.timedelta(seconds=60)
    )
    mesh = init_device_mesh("cpu", (2,))
    found = {}
    for case, run in cases(mesh):
        try:
            found[case] = run()
        except Exception:
            found[case] = traceback.format_exc(limit=-6)
        if rank == 0:
            (folder / "found.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
