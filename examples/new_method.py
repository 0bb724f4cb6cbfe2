"""Add a method in a dozen lines: its equations, once. Both executors run them."""

from typing import Any, ClassVar

import torch

from descend.methods import TABLE, Method, optimizer
from descend.methods.equations import lerp, sign
from descend.methods.modifiers import decoupled_decay
from descend.methods.rule import elementwise, rule


@rule(m=elementwise)
def lion(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Step by the sign of an average (Chen et al. 2023, arXiv:2302.06675)."""
    beta1, beta2 = h.betas
    step = sign(lerp(s.m, g, 1 - beta1))
    s.m = lerp(s.m, g, 1 - beta2)
    return w - h.lr * step


class Lion(Method):
    """Lion: the sign of an interpolated momentum."""

    rule: ClassVar = decoupled_decay(lion)

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0


TABLE["lion"] = Lion  # from here on it has a name

ends = []
for executor in ("reference", "foreach"):
    w = torch.nn.Parameter(torch.tensor([3.0, -2.0]))  # w² starts at 13
    method = optimizer("lion", [w], lr=0.01, executor=executor)
    for _ in range(400):
        method.zero_grad()
        (w**2).sum().backward()
        method.step()
    ends.append(w.detach().clone())

print(ends[0].tolist())
assert torch.equal(ends[0], ends[1])
assert ends[0].square().sum() < 1.0  # from 13
