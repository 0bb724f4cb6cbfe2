"""Add a method in a dozen lines: its equations, once. All executors run them, fused ones too."""

from typing import Any, ClassVar

import torch

from descend.methods import TABLE, Method, optimizer
from descend.methods.equations import absolute, lerp, sign, sqrt
from descend.methods.modifiers import decoupled_decay
from descend.methods.rule import elementwise, rule


@rule(m=elementwise, v=elementwise)
def grams(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Adam's length, the gradient's direction (Cao et al. 2024, arXiv:2412.17107)."""
    beta1, beta2 = h.betas
    s.m = lerp(s.m, g, 1 - beta1)
    s.v = lerp(s.v, g * g, 1 - beta2)
    step = s.m / (1 - beta1**s.step) / (sqrt(s.v / (1 - beta2**s.step)) + h.eps)
    return w - h.lr * sign(g) * absolute(step)


class Grams(Method):
    """Grams: the length of Adam's step, the direction of the gradient."""

    rule: ClassVar = grams
    decay: ClassVar = decoupled_decay

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0


TABLE["grams"] = Grams  # from here on it has a name

ends = []
for executor in ("reference", "foreach", "fused"):
    w = torch.nn.Parameter(torch.tensor([3.0, -2.0]))  # w² starts at 13
    method = optimizer("grams", [w], lr=0.01, executor=executor, clip_norm=1.0)  # with any modifier
    for _ in range(400):
        method.zero_grad()
        (w**2).sum().backward()
        method.step()
    ends.append(w.detach().clone())

print(ends[0].tolist())
assert all(torch.allclose(ends[0], end, atol=1e-5) for end in ends)
assert ends[0].square().sum() < 1.0  # from 13
