"""SOAP, Shampoo and PSGD Kron as their authors' equations, slowly: one product at a time."""

import math

import torch


class Text:
    """What the three have in common: groups, state and a count for each parameter."""

    def __init__(self, parameters, **hyperparameters):
        self.param_groups = [{"params": list(parameters), **hyperparameters}]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.numel():
                    s = self.state.setdefault(p, {"t": 0})
                    s["t"] += 1
                    self.one(p, p.grad, s, group)


def times(x, k, a):
    """Side k of x multiplied by a."""
    return torch.tensordot(a, x, dims=([1], [k])).movedim(0, k)


def product(x, k):
    """The product of side k of x with itself."""
    rest = [i for i in range(x.ndim) if i != k]
    return torch.tensordot(x, x, dims=(rest, rest))


def merge(shape, limit):
    found, current = [], 1
    for n in shape:
        if current * n > limit:
            if current > 1:
                found.append(current)
                current = n
            else:
                found.append(n)
                current = 1
        else:
            current *= n
    if current > 1 or not found:
        found.append(current)
    return found


class SOAP(Text):
    """github.com/nikhilvyas/SOAP, soap.py: m leaves the basis and comes back in every step."""

    def __init__(self, parameters, lr=3e-3, betas=(0.95, 0.95), eps=1e-8, weight_decay=0.01, **others):
        usual = {"shampoo_beta": None, "precondition_frequency": 10, "max_precond_dim": 10000}
        flags = {
            "merge_dims": False,
            "precondition_1d": False,
            "normalize_grads": False,
            "correct_bias": True,
        }
        given = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(parameters, **{**given, **usual, **flags, **others})

    def one(self, p, g, s, h):
        (beta1, beta2), limit = h["betas"], h["max_precond_dim"]
        beta3 = beta2 if h["shampoo_beta"] is None else h["shampoo_beta"]
        shape = merge(g.shape, limit) if h["merge_dims"] and g.ndim > 1 else list(g.shape)
        x, t = g.reshape(shape), s["t"] - 1
        has = [n <= limit and (x.ndim > 1 or h["precondition_1d"]) for n in shape]
        if t == 0:
            s["m"] = s["v"] = 0 * x
            s["L"] = [(1 - beta3) * product(x, k) if yes else None for k, yes in enumerate(has)]
            s["Q"] = [None if a is None else torch.linalg.eigh(a)[1].flip(1) for a in s["L"]]
            return
        into = self.through(x, s["Q"], lambda q: q.T)
        s["m"] = beta1 * s["m"] + (1 - beta1) * into
        s["v"] = beta2 * s["v"] + (1 - beta2) * into**2
        rate = h["lr"]
        if h["correct_bias"]:
            rate *= math.sqrt(1 - beta2**t) / (1 - beta1**t)
        u = self.through(s["m"] / (s["v"].sqrt() + h["eps"]), s["Q"], lambda q: q)
        if h["normalize_grads"]:
            u = u / (1e-30 + (u**2).mean() ** 0.5)
        p.sub_(rate * u.reshape(p.shape))
        p.sub_(h["lr"] * h["weight_decay"] * p)
        m = self.through(s["m"], s["Q"], lambda q: q)
        for k, a in enumerate(s["L"]):
            if a is not None:
                s["L"][k] = beta3 * a + (1 - beta3) * product(x, k)
        if t % h["precondition_frequency"] == 0:
            for k, (a, q) in enumerate(zip(s["L"], s["Q"], strict=True)):
                if q is not None:
                    largest_first = torch.argsort(torch.diag(q.T @ a @ q), descending=True)
                    s["v"] = s["v"].index_select(k, largest_first)
                    s["Q"][k] = torch.linalg.qr(a @ q[:, largest_first])[0]
        s["m"] = self.through(m, s["Q"], lambda q: q.T)

    def through(self, x, bases, how):
        for k, q in enumerate(bases):
            x = x if q is None else times(x, k, how(q))
        return x


class Shampoo(Text):
    """Gupta et al. 2018, with the grafting, blocks and averages of Anil et al. 2020 and Shi et al. 2023."""

    def __init__(self, parameters, lr=1e-3, **others):
        usual = {"momentum": 0.9, "beta2": 0.999, "eps": 1e-12, "weight_decay": 0.0, "nesterov": False}
        matrices = {"precondition_frequency": 10, "start_preconditioning_step": 10}
        matrices |= {"exponent_override": 0, "block_size": 1024}
        grafting = {"grafting": "adam", "grafting_beta2": 0.999, "grafting_eps": 1e-8}
        super().__init__(parameters, **{"lr": lr, **usual, **matrices, **grafting, **others})

    def one(self, p, g, s, h):
        t, beta2 = s["t"], h["beta2"]
        a = self.grafted(g, s, h)
        u = a
        if p.ndim > 1:
            u = torch.zeros_like(g)
            for place in self.places(g.shape, h["block_size"]):
                u[place] = self.whitened(g[place], s.setdefault(str(place), {}), t, beta2, h)
            if h["grafting"] != "none" and u.norm() > 0:
                u = u * (a.norm() / u.norm())
            if t < h["start_preconditioning_step"]:
                u = a
        p.mul_(1 - h["lr"] * h["weight_decay"])
        s["m"] = h["momentum"] * s.get("m", 0 * p) + u
        p.sub_(h["lr"] * (u + h["momentum"] * s["m"] if h["nesterov"] else s["m"]))

    def places(self, shape, size):
        found = [()]
        for n in shape:
            found = [(*some, slice(i, min(i + size, n))) for some in found for i in range(0, n, size)]
        return found

    def whitened(self, g, s, t, beta2, h):
        for k in range(g.ndim):
            old, new = s.get(k, torch.zeros(g.shape[k], g.shape[k], dtype=g.dtype)), product(g, k)
            s[k] = old + new if beta2 == 1 else beta2 * old + (1 - beta2) * new
            since = t - h["start_preconditioning_step"]
            s.setdefault(("root", k), torch.zeros_like(s[k]))
            if since >= 0 and since % h["precondition_frequency"] == 0:
                corrected = s[k] / (1 if beta2 == 1 else 1 - beta2**t)
                sizes, vectors = torch.linalg.eigh(corrected)
                power = -1 / (h["exponent_override"] or 2 * g.ndim)
                s["root", k] = vectors @ torch.diag((sizes.clamp(min=0) + h["eps"]) ** power) @ vectors.T
        for k in range(g.ndim):
            g = times(g, k, s["root", k])
        return g

    def grafted(self, g, s, h):
        beta, kind = h["grafting_beta2"], h["grafting"]
        if kind in ("none", "sgd"):
            return g
        v = s.get("v", 0 * g)
        s["v"] = v + g**2 if kind == "adagrad" else beta * v + (1 - beta) * g**2
        corrected = s["v"] / (1 - beta ** s["t"]) if kind == "adam" else s["v"]
        return g / (corrected.sqrt() + h["grafting_eps"])


class PSGDKron(Text):
    """kron_torch, kron.py, with probes and updates that follow from the step count."""

    def __init__(self, parameters, lr=3e-4, **others):
        usual = {"momentum": 0.9, "weight_decay": 0.0, "preconditioner_update_probability": None}
        sides = {"max_size_triangular": 8192, "memory_save_mode": None, "momentum_into_precond_update": True}
        factors = {"precond_lr": 0.1, "precond_init_scale": 1.0}
        super().__init__(parameters, **{"lr": lr, **usual, **sides, **factors, **others})

    def one(self, p, g, s, h):
        t, shape = s["t"], self.flat(p.shape)
        s["m"] = h["momentum"] * s.get("m", 0 * g) + (1 - h["momentum"]) * g
        m = s["m"] / (1 - h["momentum"] ** t)
        if t == 1:
            scale = h["precond_init_scale"] ** (1 / len(shape))
            s["q"] = [scale * torch.eye(n, dtype=p.dtype) for n in shape]
        if self.expected(h, t) // 1 > self.expected(h, t - 1) // 1:
            x = m if h["momentum_into_precond_update"] else g
            seed = t * 1_000_003 + sum(n * 31**k for k, n in enumerate(p.shape))
            v = torch.randn(p.shape, generator=torch.Generator().manual_seed(seed)).to(p.dtype)
            x = x + 2**-11.5 * x.abs().mean() * v
            self.update(s["q"], x.reshape(shape), v.reshape(shape), self.diagonal(shape, h), h)
        u = m.reshape(shape)
        for k, q in enumerate(s["q"]):
            u = times(u, k, q.T @ q)
        u = u * min(1.0, 1.1 / (float((u**2).mean().sqrt()) + 1e-12))
        u = u.reshape(p.shape)
        if p.ndim > 1:
            u = u + h["weight_decay"] * p
        p.sub_(h["lr"] * u)

    def update(self, factors, x, v, diagonal, h):
        a, b = x, v
        for k, q in enumerate(factors):
            a, b = times(a, k, q), times(b, k, torch.linalg.inv(q).T)
        for k, q in enumerate(list(factors)):
            aa, bb = product(a, k), product(b, k)
            if diagonal[k]:
                aa, bb = torch.diag(torch.diag(aa)), torch.diag(torch.diag(bb))
                size = (aa + bb).abs().max()
            else:
                size = self.lower_bound(aa + bb)
            factors[k] = q - h["precond_lr"] / size * torch.triu(aa - bb) @ q

    def lower_bound(self, a):
        column = a[:, (a**2).sum(0).argmax()]
        row = column @ a
        return (a @ (row / row.norm())).norm()

    def flat(self, shape):
        if len(shape) < 3:
            return list(shape) or [1]
        options = [math.prod(shape[:-1]), shape[-1]], [shape[0], math.prod(shape[1:])]
        return min(reversed(options), key=max)

    def diagonal(self, shape, h):
        mode = h["memory_save_mode"]
        found = [
            n == 1 or n > h["max_size_triangular"] or len(shape) < 2 or mode == "all_diag" for n in shape
        ]
        if len(shape) == 2 and (mode == "one_diag" or (mode == "smart_one_diag" and shape[0] != shape[1])):
            found[0 if shape[0] > shape[1] else 1] = True
        return found

    def expected(self, h, t):
        """How many updates there are up to step t: the sum of their probabilities."""
        if h["preconditioner_update_probability"] is not None:
            return h["preconditioner_update_probability"] * t
        end = 500 - 1000 * math.log(0.03)
        falling = 1000 * (1 - math.exp(-(min(max(t, 500), end) - 500) / 1000))
        return min(t, 500) + falling + 0.03 * max(t - end, 0)
