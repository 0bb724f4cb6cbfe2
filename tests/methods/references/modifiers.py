"""Each modifier as one writes it around somebody else's optimizer, in plain torch and out of place.

They nest: the outermost acts first on the gradient, and last on what the step gave.
"""

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Around:
    """An optimizer with something done before and after its step."""

    def __init__(self, inner, tensors, dose=None, **others):
        self.inner, self.tensors, self.dose, self.others = inner, tensors, dose, others
        self.start()

    def start(self):
        pass

    def before(self):
        pass

    def after(self):
        pass

    @torch.no_grad()
    def step(self):
        self.before()
        self.inner.step()
        self.after()

    def points(self):
        """Where to evaluate."""
        return self.inner.points() if isinstance(self.inner, Around) else self.tensors

    @property
    def optimizer(self):
        return self.inner.optimizer if isinstance(self.inner, Around) else self.inner

    def moving(self):
        return [p for p in self.tensors if p.grad is not None]


class ClipNorm(Around):
    def before(self):
        torch.nn.utils.clip_grad_norm_(self.tensors, self.dose)


class ClipValue(Around):
    def before(self):
        torch.nn.utils.clip_grad_value_(self.tensors, self.dose)


class ClipAdaptive(Around):
    """timm's adaptive_clip_grad, which is the authors' in torch."""

    def norm(self, x):
        return x.norm() if x.ndim <= 1 else x.norm(dim=tuple(range(1, x.ndim)), keepdim=True)

    def before(self):
        for p in self.moving():
            most = self.dose * self.norm(p).clamp(min=self.others.get("clip_adaptive_eps", 1e-3))
            length = self.norm(p.grad)
            clipped = p.grad * (most / length.clamp(min=1e-6))
            p.grad = torch.where(length < most, p.grad, clipped)


class Mars(Around):
    """The authors' code (github.com/AGI-Arena/MARS), mars-adamw with is_approx."""

    def start(self):
        self.last = {p: torch.zeros_like(p) for p in self.tensors}

    def before(self):
        for p in self.moving():
            beta = self.others["mars_beta"]
            c = p.grad + (p.grad - self.last[p]) * (self.dose * beta / (1 - beta))
            self.last[p] = p.grad.clone()
            p.grad = c / c.norm() if c.norm() > 1 else c


class Cautious(Around):
    """The authors' code (github.com/kyleliang919/C-Optim), around any move; the decay is left outside."""

    def step(self):
        decays = [group["weight_decay"] for group in self.optimizer.param_groups]
        for group, decay in zip(self.optimizer.param_groups, decays, strict=True):
            group["weight_decay"] = 0.0
            for p in group["params"]:
                if p.grad is not None and self.others["decoupled"]:
                    p.data.mul_(1 - group["lr"] * decay)
                elif p.grad is not None:
                    p.grad = p.grad + decay * p.data
        before = {p: p.detach().clone() for p in self.moving()}
        self.inner.step()
        for p, start in before.items():
            move = start - p.detach()
            mask = (move * p.grad > 0).to(p.dtype)
            p.data.copy_(start - move * mask / mask.mean().clamp(min=1e-3))
        for group, decay in zip(self.optimizer.param_groups, decays, strict=True):
            group["weight_decay"] = decay


class Lookahead(Around):
    """Algorithm 1 of the paper."""

    def start(self):
        self.slow, self.steps = [p.detach().clone() for p in self.tensors], 0

    def after(self):
        self.steps += 1
        if self.steps % self.dose == 0:
            for p, slow in zip(self.tensors, self.slow, strict=True):
                slow += self.others.get("lookahead_share", 0.5) * (p.detach() - slow)
                p.copy_(slow)

    def points(self):
        return self.slow


class Average(Around):
    """torch's AveragedModel; a warm-up, and a later beginning, are written out.

    So is the uniform average: torch's own has its weight in float32, 5e-10 from this one after 60 steps.
    """

    def start(self):
        self.model = torch.nn.ParameterList(self.tensors)
        if self.dose == 1:
            self.averaged = AveragedModel(self.model, avg_fn=self.uniform)
        elif self.others.get("average_warmup"):
            self.averaged = AveragedModel(self.model, avg_fn=self.warm)
        else:
            self.averaged = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(self.dose))
        self.steps = 0

    def uniform(self, average, new, n):
        return average + (new - average) / (float(n) + 1)

    def warm(self, average, new, n):
        n = float(n)
        decay = min(self.dose, (1 + n) / (10 + n))
        return decay * average + (1 - decay) * new

    def after(self):
        self.steps += 1
        if self.steps >= self.others.get("average_from", 1):
            self.averaged.update_parameters(self.model)

    def points(self):
        begun = self.steps >= self.others.get("average_from", 1)
        return list(self.averaged.parameters()) if begun else self.tensors


class Accumulate(Around):
    """What p.grad does where it is not set to zero, with each loss divided by n."""

    def start(self):
        self.sums, self.calls = {}, 0

    def step(self):
        self.calls += 1
        for p in self.moving():
            self.sums[p] = self.sums.get(p, 0) + p.grad / self.dose
        if self.calls == self.dose:
            for p in self.tensors:
                p.grad = self.sums.get(p)
            self.inner.step()
            self.start()


class Corrected(Around):
    """AdamC's decay (algorithm 2 of the paper), beside an optimizer without one."""

    def start(self):
        self.decays = [group["weight_decay"] for group in self.optimizer.param_groups]
        for group in self.optimizer.param_groups:
            group["weight_decay"] = 0.0

    def before(self):
        for group, decay in zip(self.optimizer.param_groups, self.decays, strict=True):
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * decay * group["lr"] / self.others["lr_max"])


class Climb:
    """SAM as in github.com/davda54/sam, with its norms over all groups."""

    def __init__(self, optimizer, groups):
        self.optimizer, self.groups = optimizer, groups  # (tensors, rho, adaptive)

    def step(self, closure):
        loss = closure()
        with torch.no_grad():
            parts = []
            for tensors, _, adaptive in self.groups:
                parts += [((p.abs() if adaptive else 1.0) * p.grad).norm() for p in tensors]
            length = torch.stack(parts).norm()
            for tensors, rho, adaptive in self.groups:
                for p in tensors:
                    p.old = p.detach().clone()
                    p.add_((p**2 if adaptive else 1.0) * p.grad * (rho / (length + 1e-12)))
        closure()
        with torch.no_grad():
            for tensors, _, _ in self.groups:
                for p in tensors:
                    p.copy_(p.old)
        self.optimizer.step()
        return loss
