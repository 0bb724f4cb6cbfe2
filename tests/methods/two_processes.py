"""One of two processes that descend a sharded network with every method, beside one that is whole.

Started by ``test_sharding.py`` once for all methods: ``python two_processes.py RANK FOLDER``. Each writes
``FOLDER/RANK.json``: case → the largest relative difference of its parts, or what went wrong.
"""

import copy
import datetime
import json
import sys
import traceback
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Shard, distribute_tensor

import descend
from descend.errors import UsageError
from descend.methods import TABLE
from descend.methods.executors.sharded import Part, sharded

VARIANTS = {
    "plain": {},
    "clipped": {"clip_norm": 0.1},
    "modified": {"clip_norm": 0.1, "cautious": True, "average": 0.9},
    "more": {"accumulate": 2, "clip_adaptive": 0.1, "mars": 0.025, "lookahead": 2, "decay": "corrected"},
    "sharpened": {"sam": 0.1, "clip_value": 0.1},
    "eight": {"state_format": "8-bit"},
    "sixteen": {"state_format": "bfloat16", "clip_norm": 0.1},
}
FEWER = {"state_format": "8-bit", "parameter_format": "bfloat16+8", "rounding_seed": 3}
"""The fewest bits that state and parameters are stored in."""
GIVEN = {
    "sophia": {"estimator": "gauss-newton-bartlett"},
    "shampoo": {"start_preconditioning_step": 2, "precondition_frequency": 2},
    "soap": {"precondition_frequency": 2},
}
"""Hyperparameters without which a method could not be driven here, or would do nothing rare in five steps."""


CHOSEN = ("adamw", "lamb", "prodigy", "adafactor", "muon", "soap", "schedulefreeadamw")
"""Methods of each kind, for what need not be tried with all."""
SHAPES = ((1, 2), (2, 1))
"""Meshes of copies and parts (HSDP)."""


class Network(nn.Module):
    """Matrices, a convolution, vectors, and a vector of one number, few of whose sides are even."""

    def __init__(self, dtype):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv1d(1, 3, 3, dtype=dtype)
        self.first = nn.Linear(9, 7, dtype=dtype)
        self.norm = nn.RMSNorm(7, dtype=dtype)
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
        return sum((p**4 / 4 + p**2).sum() for p in self.all).sqrt().reshape(1, 1)


def fits(cls, model):
    return [p for p in model.parameters() if cls.takes is None or cls.takes(p)]


def examples(step):
    """More than any matrix has sides: no gradient is singular, and SOAP's bases are determined."""
    return torch.randn(24, 5, generator=torch.Generator().manual_seed(step), dtype=torch.float64)


def by_a_loss(model, opt, step):
    """Descend a loss on the same data in each process, so that gradients are those of one."""
    opt.zero_grad()
    (model(examples(step)) ** 2).sum(1).mean().backward(create_graph=opt.needs_graph)


def given(model, opt, step):
    """Hand out gradients instead: no loss, and little to wait for."""
    generator = torch.Generator().manual_seed(step)
    for p in model.parameters():
        g = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        p.grad = distribute_tensor(g, p.device_mesh, p.placements, src_data_rank=None) if sharded(p) else g


def by_a_closure(model, opt, step):
    """Leave the first gradient to a closure, which ``step`` then calls again at another point."""
    opt.closure = partial(by_a_loss, model, opt, step)


def descended(model, opt, backward, steps=5):
    for step in range(steps):
        if getattr(opt, "needs_estimate", False):
            backward(model, opt, step + 100)
            opt.estimate(batch_size=4)
        opt.zero_grad()
        (by_a_loss if opt.needs_graph else backward)(model, opt, step)
        opt.step(getattr(opt, "closure", None))


def apart(mine, other):
    """The largest difference between this process's numbers and those of one alone, in each tensor's size."""
    worst = 0.0
    for x, y in zip(mine, other, strict=True):
        x, y = x.detach(), y.detach()
        assert x.shape == y.shape, (x.shape, y.shape)
        if not y.numel():
            continue
        size = float(y.abs().max().clamp_min(1e-300))
        if sharded(x):
            x, y = x.to_local(), Part.of(x).own(y)
        assert torch.isfinite(x).all()
        worst = max(worst, float((x - y).abs().max()) / size if x.numel() else 0.0)
    return worst


def over(model, mesh, some=False):
    fully_shard(model.first if some else model, mesh=mesh)
    return model


def pair(name, mesh, executor="fused", given={}, some=False):  # noqa: B006
    """Return a method over a sharded model and over a whole one, and both models."""
    cls = TABLE[name]
    found = []
    graph = cls([nn.Parameter(torch.ones(2, 2))], **GIVEN.get(name, {})).needs_graph
    for where in (mesh, None):
        if graph:
            model = Alone(torch.float64, where)
        else:
            model = Network(torch.float64) if where is None else over(Network(torch.float64), where, some)
        parameters = fits(cls, model)
        run = executor if where is not None or executor == "reference" else "foreach"
        found += [model, cls(parameters, executor=run, **GIVEN.get(name, {}), **given)]
    return found


def kept(opt):
    """Return all that is kept, in order; numbers for all too."""
    found = [x for group in opt.param_groups for x in group.values() if isinstance(x, torch.Tensor)]
    for group in opt.param_groups:
        for p in group["params"]:
            found += [x for x in opt.state[p].values() if isinstance(x, torch.Tensor)]
    return found


def agrees(name, mesh, executor="fused", variant="plain", backward=given, some=False):
    """Five steps; parameters, state and points of evaluation are those of one process."""
    model, opt, alone, sure = pair(name, mesh, executor, VARIANTS[variant], some)
    descended(model, opt, backward)
    descended(alone, sure, backward)
    worst = apart(model.parameters(), alone.parameters())
    worst = max(worst, apart(kept(opt), kept(sure)))
    with opt.evaluation(), sure.evaluation():
        return max(worst, apart(model.parameters(), alone.parameters()))


def agrees_routed(name, mesh):
    """A network whose parameters go different ways."""
    model, alone = over(Network(torch.float64), mesh), Network(torch.float64)
    opt, sure = (descend.optimizer(name, net, show=False, clip_norm=0.1) for net in (model, alone))
    sure.executor = "foreach"
    descended(model, opt, by_a_loss)
    descended(alone, sure, by_a_loss)
    return max(apart(model.parameters(), alone.parameters()), apart(kept(opt), kept(sure)))


def bits(name, mesh):
    """In fewer bits too, elementwise methods come to the very same bits on two processes as on one."""
    cls = TABLE[name]
    model, alone = over(Network(torch.bfloat16), mesh), Network(torch.bfloat16)
    opt, sure = (cls(fits(cls, net), **FEWER) for net in (model, alone))
    descended(model, opt, given)
    descended(alone, sure, given)
    codes = [x for x in kept(opt) if x.dtype in (torch.uint8, torch.int8)]
    pairs = zip([*model.parameters(), *kept(opt)], [*alone.parameters(), *kept(sure)], strict=True)
    same = [torch.equal(x.to_local(), Part.of(x).own(y)) for x, y in pairs if sharded(x)]
    return 0.0 if all(same) and codes else 1.0


def refuses_columns(mesh):
    """Eight-bit state beside parameters that are sharded by columns is refused in words."""
    p = nn.Parameter(distribute_tensor(torch.ones(4, 64), mesh, [Shard(1)]))
    opt = descend.AdamW([p], state_format="8-bit")
    p.grad = torch.ones_like(p)
    try:
        opt.step()
    except UsageError as error:
        return float("by rows" not in str(error))
    return 1.0


def refuses(mesh):
    """A whole state beside sharded parameters is refused in words, before anything moves."""
    model, opt, alone, sure = pair("adamw", mesh)
    descended(alone, sure, given, 1)
    opt.load_state_dict(sure.state_dict())
    given(model, opt, 1)
    try:
        opt.step()
    except UsageError as error:
        return float("set_optimizer_state_dict" not in str(error))
    return 1.0


def replicated(name, mesh):
    """DistributedDataParallel, each process with half of the data, to the rounding of sums of halves."""
    cls = TABLE[name]
    model, alone = Network(torch.float64), Network(torch.float64)
    wrapped = nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True)
    for net, part in ((wrapped, slice(dist.get_rank(), None, 2)), (alone, slice(None))):
        opt = cls(fits(cls, net), clip_norm=0.1)
        for step in range(5):
            opt.zero_grad()
            (net(examples(step)[part]) ** 2).sum(1).mean().backward()
            opt.step()
    return apart(model.parameters(), alone.parameters())


def meets(name, mesh, times):
    """How often more than ``times`` a step waits for the other process, whatever the number of tensors."""
    model, opt, *_ = pair(name, mesh)
    given(model, opt, 0)
    found, reduce = [], dist.all_reduce
    try:
        dist.all_reduce = lambda x, **how: (found.append(x), reduce(x, **how))
        opt.step()
    finally:
        dist.all_reduce = reduce
    return float(max(0, len(found) - times))


def resumes(name, mesh, full, variant="clipped"):
    """A state taken in the middle continues in a new optimizer; a full one in one process alone, too."""
    model, opt, alone, sure = pair(name, mesh, given=VARIANTS[variant])
    descended(model, opt, given, 3)
    options = StateDictOptions(full_state_dict=full)
    parameters, state = get_state_dict(model, opt, options=options)
    parameters, state = copy.deepcopy((parameters, state))
    other, again, *_ = pair(name, mesh, given=VARIANTS[variant])
    targets = [(model, opt), (other, again)]
    if full:
        targets.append((alone, sure))
    for to, method in targets[1:]:
        x, y = copy.deepcopy((parameters, state))  # torch shards them in place
        set_state_dict(to, method, model_state_dict=x, optim_state_dict=y, options=options)
    for to, method in targets:
        descended(to, method, given, 3)
    worst = 0.0 if not full else apart(model.parameters(), alone.parameters())
    for x, y in zip([*other.parameters(), *kept(again)], [*model.parameters(), *kept(opt)], strict=True):
        x, y = (a.to_local() if sharded(a) else a for a in (x.detach(), y.detach()))
        worst = max(worst, float((x - y).abs().max()) if x.numel() else 0.0)
    return worst


def cases(mesh):
    for name in TABLE:
        for variant in ("plain", "clipped"):
            yield f"{name}-{variant}", partial(agrees, name, mesh, variant=variant)
    two = {shape: init_device_mesh("cpu", shape, mesh_dim_names=("copies", "parts")) for shape in SHAPES}
    for name in CHOSEN:
        yield f"{name}-modified", partial(agrees, name, mesh, variant="modified")
        yield f"{name}-reference", partial(agrees, name, mesh, "reference", "clipped")
        yield f"{name}-replicated", partial(replicated, name, mesh)
        yield f"{name}-trained", partial(agrees, name, mesh, backward=by_a_loss)
        yield f"{name}-some", partial(agrees, name, mesh, variant="clipped", some=True)
        for shape, found in two.items():
            yield f"{name}-{shape[0]} copies", partial(agrees, name, found, variant="clipped")
    for name in ("adamw", "lamb", "prodigy", "muon", "schedulefreeadamw"):
        yield f"{name}-eight", partial(agrees, name, mesh, variant="eight")
        yield f"{name}-eight reference", partial(agrees, name, mesh, "reference", "eight")
        yield f"{name}-sixteen", partial(agrees, name, mesh, variant="sixteen")
    for name in ("adamw", "lion", "sgd"):
        yield f"{name}-bits", partial(bits, name, mesh)
    yield "adamw-columns", partial(refuses_columns, mesh)
    for full in (True, False):
        yield f"adamw-resumed eight {full}", partial(resumes, "adamw", mesh, full, "eight")
    yield "adamw-more", partial(agrees, "adamw", mesh, variant="more")
    yield "adamw-sharpened", partial(agrees, "adamw", mesh, variant="sharpened", backward=by_a_closure)
    yield "adamw-refused", partial(refuses, mesh)
    for name in ("muon", "soap"):
        yield f"{name}-routed", partial(agrees_routed, name, mesh)
    for name, times in {"adamw": 0, "lion": 0, "lamb": 2, "lars": 2, "prodigy": 2}.items():
        yield f"{name}-meetings", partial(meets, name, mesh, times)
    for name in ("adamw", "prodigy", "muon", "soap", "schedulefreeadamw"):
        for full in (True, False):
            yield f"{name}-resumed {'full' if full else 'parts'}", partial(resumes, name, mesh, full)


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
        (folder / f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
