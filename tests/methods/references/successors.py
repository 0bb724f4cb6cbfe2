"""Successors of Adam as their authors wrote them, for one tensor and its numbers."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


class _Written(torch.optim.Optimizer):
    """A method whose text is ``move(w, g, own, t, **hyperparameters)``, for one tensor in its t-th step."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is not None:
                    own = self.state[w]
                    own["t"] = own.get("t", 0) + 1
                    self.move(w, w.grad, own, own["t"], **{k: v for k, v in group.items() if k != "params"})

    def move(self, w: Tensor, g: Tensor, own: dict[str, Any], t: int, **h: Any) -> None:
        raise NotImplementedError


class ADOPT(_Written):
    """The authors' package of November 2024 and later, whose count starts from 0."""

    def __init__(
        self, params: Any, lr=1e-3, betas=(0.9, 0.9999), eps=1e-6, weight_decay=0.0, decouple=False, clip=True
    ):
        h = {"eps": eps, "weight_decay": weight_decay, "decouple": decouple, "clip": clip}
        super().__init__(params, {"lr": lr, "betas": betas, **h})

    def move(self, w, g, own, t, *, lr, betas, eps, weight_decay, decouple, clip):
        if not decouple:
            g = g + weight_decay * w
        if t - 1 == 0:
            own["m"], own["v"] = torch.zeros_like(w), g.square()
            return
        if decouple:
            w.sub_(lr * weight_decay * w)
        ratio = g / own["v"].sqrt().clamp(min=eps)
        if clip:
            bound = (t - 1) ** 0.25
            ratio = ratio.clamp(-bound, bound)
        own["m"] = betas[0] * own["m"] + (1 - betas[0]) * ratio
        own["v"] = betas[1] * own["v"] + (1 - betas[1]) * g.square()
        w.sub_(lr * own["m"])


class LaProp(_Written):
    """The paper's algorithm, with amsgrad as in the authors' code."""

    def __init__(self, params: Any, lr=4e-4, betas=(0.9, 0.999), eps=1e-15, weight_decay=0.0, amsgrad=False):
        h = {"eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        super().__init__(params, {"lr": lr, "betas": betas, **h})

    def move(self, w, g, own, t, *, lr, betas, eps, weight_decay, amsgrad):
        own["v"] = betas[1] * own.get("v", 0 * w) + (1 - betas[1]) * g.square()
        own["peak"] = torch.maximum(own.get("peak", own["v"]), own["v"])
        square = own["peak"] if amsgrad else own["v"]
        ratio = g / ((square / (1 - betas[1] ** t)).sqrt() + eps)
        own["m"] = betas[0] * own.get("m", 0 * w) + (1 - betas[0]) * ratio
        w.sub_(lr * weight_decay * w)
        w.sub_(lr * own["m"] / (1 - betas[0] ** t))


class AdEMAMix(_Written):
    """The paper's algorithm 1, with its two schedules."""

    def __init__(
        self,
        params: Any,
        lr=1e-3,
        betas=(0.9, 0.999, 0.9999),
        alpha=2.0,
        beta3_warmup=None,
        alpha_warmup=None,
        eps=1e-8,
        weight_decay=0.0,
    ):
        h = {"alpha": alpha, "beta3_warmup": beta3_warmup, "alpha_warmup": alpha_warmup}
        super().__init__(params, {"lr": lr, "betas": betas, **h, "eps": eps, "weight_decay": weight_decay})

    def move(self, w, g, own, t, *, lr, betas, alpha, beta3_warmup, alpha_warmup, eps, weight_decay):
        beta1, beta2, beta3 = betas
        if alpha_warmup is not None:
            alpha = min(t * alpha / alpha_warmup, alpha)
        if beta3_warmup is not None:
            start, end, done = np.log(beta1), np.log(beta3), t / beta3_warmup
            beta3 = min(float(np.exp(start * end / ((1 - done) * end + done * start))), beta3)
        own["m1"] = beta1 * own.get("m1", 0 * w) + (1 - beta1) * g
        own["m2"] = beta3 * own.get("m2", 0 * w) + (1 - beta3) * g
        own["v"] = beta2 * own.get("v", 0 * w) + (1 - beta2) * g.square()
        root = (own["v"] / (1 - beta2**t)).sqrt() + eps
        w.sub_(lr * ((own["m1"] / (1 - beta1**t) + alpha * own["m2"]) / root + weight_decay * w))
