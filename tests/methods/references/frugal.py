"""Frugal methods: packages with what they lack, and GaLore written out."""

from importlib import import_module
from typing import Any

import torch


class Adafactor(torch.optim.Adafactor):
    """torch's own, which divides by the number of elements also where there are none."""

    def _init_group(self, group: dict[str, Any], *lists: Any) -> Any:
        filled = [p for p in group["params"] if p.numel()]
        return super()._init_group({**group, "params": filled}, *lists)


def AdamMini(params: Any, block: str = "row", weight_decay: float = 0.0, **h: Any) -> Any:
    """The authors' package, which knows blocks by names: matrices of an MLP, biases, others."""
    if block == "row":
        named = [(f"mlp.{i}" if p.dim() > 1 else f"{i}.bias", p) for i, p in enumerate(params)]
    else:
        named = [(f"{i}", p) for i, p in enumerate(params)]
    made = import_module("adam_mini").Adam_mini(named, verbose=False, weight_decay=weight_decay, **h)
    for group in made.param_groups:  # it leaves biases undecayed, by their names
        group["weight_decay"] = weight_decay
    return made


class GaLore(torch.optim.Optimizer):
    """The paper's algorithms 1 and 2; what is no matrix by AdamW."""

    def __init__(
        self,
        params: Any,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-6,
        weight_decay=0.0,
        rank=128,
        update_proj_gap=200,
        scale=0.25,
        proj_type="std",
    ):
        h = {"rank": rank, "update_proj_gap": update_proj_gap, "scale": scale, "proj_type": proj_type}
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, **h})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for w in group["params"]:
                if w.grad is None:
                    continue
                own, g = self.state[w], w.grad
                t = own["t"] = own.get("t", 0) + 1
                matrix = w.dim() == 2
                if matrix:
                    shorter_is_right = w.shape[0] >= w.shape[1]
                    right = {"std": shorter_is_right, "reverse_std": not shorter_is_right}
                    right = right.get(group["proj_type"], group["proj_type"] == "right")
                    g = g.T if right else g  # projected from the left, always
                    if (t - 1) % group["update_proj_gap"] == 0:
                        values, vectors = torch.linalg.eigh(g @ g.T)
                        kept = values.argsort(descending=True)[: min(group["rank"], *g.shape)]
                        own["p"] = torch.stack(
                            [v * v[v.abs().argmax()].sign() for v in vectors.T[kept]], dim=1
                        )
                    g = own["p"].T @ g
                own["m"] = beta1 * own.get("m", 0 * g) + (1 - beta1) * g
                own["v"] = beta2 * own.get("v", 0 * g) + (1 - beta2) * g**2
                u = own["m"] / (1 - beta1**t) / ((own["v"] / (1 - beta2**t)).sqrt() + group["eps"])
                if matrix:
                    u = group["scale"] * own["p"] @ u
                    u = u.T if right else u
                w.sub_(group["lr"] * (u + group["weight_decay"] * w))
