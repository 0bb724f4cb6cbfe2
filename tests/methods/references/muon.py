"""Muon, NorMuon and Scion as their authors have them, in float64 and with nothing clever."""

from typing import Any, ClassVar

import torch


def newton_schulz(u, a=3.4445, b=-4.7750, c=2.0315, eps=1e-7, steps=5):
    x = u.T if u.shape[0] > u.shape[1] else u
    x = x / max(float(x.pow(2).sum().sqrt()), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + b * (gram @ x) + c * (gram @ (gram @ x))
    return x.T if u.shape[0] > u.shape[1] else x


class _Text:
    """What the texts share: one group, state by parameter."""

    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, params, **h):
        self.param_groups = [{"params": list(params), **self.defaults, **h}]
        self.state = {}

    def one(self, p, g, own, h):
        raise NotImplementedError

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.numel():
                    self.one(p, p.grad, self.state.setdefault(p, {}), group)


def matrices(x, stacked):
    """The matrices of a tensor, one by one, as (where, matrix)."""
    if x.ndim == 2:
        return [x]
    if stacked:
        return list(x.reshape(-1, *x.shape[-2:]).unbind())
    return [x.reshape(x.shape[0], -1)]


class Muon(_Text):
    """torch.optim.Muon's documentation, line by line; convolutions as Jordan's: flattened."""

    defaults: ClassVar[dict[str, Any]] = {
        "lr": 1e-3,
        "weight_decay": 0.1,
        "momentum": 0.95,
        "nesterov": True,
        "ns_coefficients": (3.4445, -4.7750, 2.0315),
        "eps": 1e-7,
        "ns_steps": 5,
        "adjust_lr_fn": "original",
        "stacked": False,
    }

    def momentum(self, g, own, h):
        mu = h["momentum"]
        own["m"] = mu * own.get("m", 0 * g) + (1 - mu) * g
        return (1 - mu) * g + mu * own["m"] if h["nesterov"] else own["m"]

    def orthogonal(self, u, h):
        return newton_schulz(u, *h["ns_coefficients"], eps=h["eps"], steps=h["ns_steps"])

    def one(self, p, g, own, h):
        u = self.momentum(g, own, h)
        found = []
        for x in matrices(u, h["stacked"]):
            rows, columns = x.shape
            if h["adjust_lr_fn"] == "match_rms_adamw":
                ratio = 0.2 * max(rows, columns) ** 0.5
            else:
                ratio = max(1, rows / columns) ** 0.5
            found.append(ratio * self.orthogonal(x, h))
        p.mul_(1 - h["lr"] * h["weight_decay"])
        p.sub_(h["lr"] * torch.stack(found).reshape(p.shape))


class NorMuon(Muon):
    """The authors' code (original) and the paper's algorithm 1 (match_rms_adamw)."""

    defaults: ClassVar[dict[str, Any]] = {**Muon.defaults, "lr": 0.02, "weight_decay": 0.0, "beta2": 0.95}

    def one(self, p, g, own, h):
        u = self.momentum(g, own, h)
        found = []
        for i, x in enumerate(matrices(u, h["stacked"])):
            rows, columns = x.shape
            o = self.orthogonal(x, h)
            before = o.norm()
            v = own.setdefault("v", {}).get(i, torch.zeros(rows, 1, dtype=o.dtype))
            own["v"][i] = v = h["beta2"] * v + (1 - h["beta2"]) * o.pow(2).mean(1, keepdim=True)
            o = o / (v.sqrt() + 1e-10)
            if h["adjust_lr_fn"] == "match_rms_adamw":
                o = o * (0.2 * (rows * columns) ** 0.5 / (o.norm() + 1e-10))
            else:
                o = o * (before / (o.norm() + 1e-10)) * max(1, rows / columns) ** 0.5
            found.append(o)
        p.mul_(1 - h["lr"] * h["weight_decay"])
        p.sub_(h["lr"] * torch.stack(found).reshape(p.shape))


class Scion(_Text):
    """The authors' scion.py; momentum is theirs, one minus the usual."""

    defaults: ClassVar[dict[str, Any]] = {
        "lr": 1e-3,
        "momentum": 0.1,
        "norm": "Auto",
        "norm_kwargs": {},
        "scale": 1.0,
        "unconstrained": False,
        "ns_coefficients": (3.4445, -4.7750, 2.0315),
        "eps": 1e-7,
        "ns_steps": 5,
    }

    def lmo(self, g, h):
        norm, options, flat = h["norm"], h["norm_kwargs"], g.reshape(len(g) if g.ndim else 1, -1)
        rows, columns = flat.shape
        normalized = options.get("normalized", True)
        if norm == "Sign":
            return torch.sign(g) / (columns if normalized and g.ndim > 1 else 1)
        if g.ndim < 2 or norm == "BiasRMS":
            return g / (g.pow(2).mean().sqrt() + 1e-8)
        if norm == "ColNorm":
            rms = flat.pow(2).sum(0, keepdim=True).sqrt() / rows**0.5
            return (flat / (rms * (columns if normalized else 1) + 1e-8)).reshape(g.shape)
        if norm == "RowNorm":
            rms = flat.pow(2).sum(1, keepdim=True).sqrt() * (columns**0.5 if normalized else 1)
            return (flat / (rms + 1e-8)).reshape(g.shape)
        o = newton_schulz(flat, *h["ns_coefficients"], eps=h["eps"], steps=h["ns_steps"]).reshape(g.shape)
        if g.ndim > 2:
            return o * (g.shape[0] / g.shape[1]) ** 0.5 / g.shape[2:].numel()
        scale = (rows / columns) ** 0.5 if normalized else rows**0.5
        return o * (max(1, scale) if options.get("max") else scale)

    def one(self, p, g, own, h):
        beta = h["momentum"]
        own["m"] = (1 - beta) * own.get("m", 0 * g) + beta * g
        update = h["scale"] * self.lmo(own["m"], h)
        if not h["unconstrained"]:
            p.mul_(1 - h["lr"])
        p.sub_(h["lr"] * update)
