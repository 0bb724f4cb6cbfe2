"""LARS and LAMB with a loop over tensors, and norms of each as numbers."""

from typing import Any

import torch
from torch import Tensor


class _Written(torch.optim.Optimizer):
    """A method whose text is ``move(w, g, own, **hyperparameters)``, for one tensor."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is not None:
                    own = self.state[w]
                    own["t"] = own.get("t", 0) + 1
                    self.move(w, w.grad, own, **{k: v for k, v in group.items() if k != "params"})

    def move(self, w: Tensor, g: Tensor, own: dict[str, Any], **h: Any) -> None:
        raise NotImplementedError


class LARS(_Written):
    """The authors' Caffe: a local rate for each blob, inside Caffe's momentum."""

    def __init__(self, params: Any, lr=1.0, momentum=0.9, weight_decay=5e-4, trust_coefficient=1e-3):
        h = {"momentum": momentum, "weight_decay": weight_decay, "trust_coefficient": trust_coefficient}
        super().__init__(params, {"lr": lr, **h})

    def move(self, w, g, own, *, lr, momentum, weight_decay, trust_coefficient):
        length, slope, rate = w.norm().item(), g.norm().item(), 1.0
        if length > 0 and slope > 0:
            rate = trust_coefficient * length / (slope + weight_decay * length)
        own["history"] = momentum * own.get("history", 0 * w) + lr * rate * (g + weight_decay * w)
        w.sub_(own["history"])


class LAMB(_Written):
    """Algorithm 2 of the paper's last version, with φ(x) = x."""

    def __init__(self, params: Any, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=1e-2):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def move(self, w, g, own, *, lr, betas, eps, weight_decay):
        t = own["t"]
        own["m"] = betas[0] * own.get("m", 0 * w) + (1 - betas[0]) * g
        own["v"] = betas[1] * own.get("v", 0 * w) + (1 - betas[1]) * g**2
        ratio = (own["m"] / (1 - betas[0] ** t)) / ((own["v"] / (1 - betas[1] ** t)).sqrt() + eps)
        update = ratio + weight_decay * w
        length, stride = w.norm().item(), update.norm().item()
        w.sub_(lr * (length / stride if length > 0 and stride > 0 else 1.0) * update)
