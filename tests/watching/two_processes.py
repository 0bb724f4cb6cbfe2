"""One of two processes that train a network together, watched: ``python two_processes.py RANK FOLDER``.

Each writes ``FOLDER/RANK.json``: way of training → (same bits with and without watching, steps, windows,
names of causes found, what was not measured).
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

import descend


def network(seed=0):
    """A small classifier."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3))


def prepared(way):
    """Return the network as it is trained: copied to both processes, or cut between them."""
    model = network()
    if way == "ddp":
        return DistributedDataParallel(model)
    for part in model:
        if isinstance(part, nn.Linear):
            fully_shard(part)
    return fully_shard(model)


def train(model, rank, steps=60, forgets=False):
    """Train on what this process has of the data; ``forgets`` leaves out clearing gradients."""
    generator = torch.Generator().manual_seed(rank)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        x = torch.randn(32, 8, generator=generator)
        y = (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()
        if not forgets:
            optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def bits(model):
    """Return the parameters, whole."""
    return [(p.full_tensor() if isinstance(p, DTensor) else p).detach().clone() for p in model.parameters()]


def main(rank, folder):
    """Train bare and watched, in both ways."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    found = {}
    for way in ("ddp", "fsdp2"):
        for forgets in (False, True):
            bare, seen = prepared(way), prepared(way)
            train(bare, rank, forgets=forgets)
            with descend.watch(budget=1.0) as watch:
                train(seen, rank, forgets=forgets)
            same = all(torch.equal(a, b) for a, b in zip(bits(bare), bits(seen), strict=True))
            name = f"{way}, gradients kept" if forgets else way
            found[name] = (
                same,
                watch.steps,
                len(watch.seen.windows),
                [f.cause for f in watch.findings if f.severity != "info"],
                watch.seen.not_measured,
            )
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
