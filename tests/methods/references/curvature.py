"""Sophia in float64, slowly: the paper's algorithm 3, on a Hessian that is diagonal."""

import torch


class Sophia:
    """Clip the mean gradient over the curvature, which a diagonal Hessian gives exactly."""

    def __init__(self, parameters, lr, betas=(0.965, 0.99), rho=0.04, weight_decay=0.1, eps=1e-15, **others):
        self.parameters, self.every = list(parameters), others.get("update_period", 10)
        self.param_groups = [{"params": self.parameters, "lr": lr, "betas": betas, "eps": eps}]
        self.param_groups[0].update(rho=rho, weight_decay=weight_decay)
        self.state = {}

    def step(self):
        group = self.param_groups[0]
        (beta1, beta2), lr = group["betas"], group["lr"]
        moving = [p for p in self.parameters if p.grad is not None]
        done = max((s["t"] for s in self.state.values()), default=0)
        for p in moving:
            self.state.setdefault(p, {"t": 0, "m": 0 * p.detach(), "h": 0 * p.detach()})
        if done % self.every == 0:
            ones = [torch.ones_like(p) for p in moving]
            rows = torch.autograd.grad([p.grad for p in moving], moving, ones, retain_graph=True)
            for p, diagonal in zip(moving, rows, strict=True):
                s = self.state[p]
                s["h"] = beta2 * s["h"] + (1 - beta2) * diagonal.detach()
        with torch.no_grad():
            for p in moving:
                s, g = self.state[p], p.grad.detach()
                s["t"] += 1
                s["m"] = beta1 * s["m"] + (1 - beta1) * g
                p.mul_(1 - lr * group["weight_decay"])
                p.sub_(lr * (s["m"] / (group["rho"] * s["h"]).clamp(min=group["eps"])).clamp(-1, 1))


class AdaHessian:
    """The authors' code (github.com/amirgholami/adahessian), with the diagonal that a loss has exactly."""

    def __init__(
        self, parameters, lr=0.15, betas=(0.9, 0.999), eps=1e-4, weight_decay=0.0, hessian_power=1.0, **others
    ):
        self.parameters, self.every = list(parameters), others.get("update_period", 1)
        self.averages = others.get("spatial_averaging", True)
        self.param_groups = [{"params": self.parameters, "lr": lr, "betas": betas, "eps": eps}]
        self.param_groups[0].update(weight_decay=weight_decay, hessian_power=hessian_power)
        self.state = {}

    def step(self):
        group = self.param_groups[0]
        (beta1, beta2), lr, power = group["betas"], group["lr"], group["hessian_power"]
        moving = [p for p in self.parameters if p.grad is not None]
        done = max((s["t"] for s in self.state.values()), default=0)
        for p in moving:
            self.state.setdefault(p, {"t": 0, "n": 0, "m": 0 * p.detach(), "v": 0 * p.detach()})
        if done % self.every == 0:
            ones = [torch.ones_like(p) for p in moving]
            rows = torch.autograd.grad([p.grad for p in moving], moving, ones, retain_graph=True)
            for p, diagonal in zip(moving, rows, strict=True):
                s, diagonal = self.state[p], diagonal.detach().abs()
                if self.averages and p.dim() > 2:
                    diagonal = diagonal.mean(tuple(range(2, p.dim())), keepdim=True)
                s["n"] += 1
                s["v"] = beta2 * s["v"] + (1 - beta2) * diagonal**2
        with torch.no_grad():
            for p in moving:
                s, g = self.state[p], p.grad.detach()
                s["t"] += 1
                s["m"] = beta1 * s["m"] + (1 - beta1) * g
                root = s["v"].sqrt() ** power / (1 - beta2 ** s["n"]) ** (power / 2)
                moved = s["m"] / (1 - beta1 ** s["t"]) / (root + group["eps"])
                p.sub_(lr * (moved + group["weight_decay"] * p))
