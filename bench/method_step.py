"""What a step of a method costs, beside torch.optim's, and what compiling its rule costs.

Six tensors of a 9,000-parameter network, then four of a million numbers; one thread; the methods take turns,
and the figure is the fastest of ten blocks. Run it on a quiet machine::

    python bench/method_step.py
"""

import time
from collections.abc import Callable

import torch

from descend.methods import TABLE
from descend.methods.executors.program import Program
from descend.methods.trace import trace

SHAPES = {
    "6 small": [(84, 64), (84,), (36, 84), (36,), (10, 36), (10,)],
    "4 × 1,000,000": [(1000, 1000)] * 4,
}


def parameters(shapes: list[tuple[int, ...]]) -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    result = [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
    for p in result:
        p.grad = torch.randn_like(p)
    return result


def times(makers: dict[str, Callable], shapes: list[tuple[int, ...]], steps: int) -> dict[str, float]:
    """Return the microseconds of a step."""
    methods = {name: make(parameters(shapes)) for name, make in makers.items()}
    best = dict.fromkeys(methods, float("inf"))
    for _ in range(11):  # the first block warms up
        for name, method in methods.items():
            start = time.perf_counter()
            for _ in range(steps):
                method.step()
            best[name] = min(best[name], (time.perf_counter() - start) / steps * 1e6)
    return best


def main() -> None:
    torch.set_num_threads(1)
    pairs = {"adamw": torch.optim.AdamW, "momentum": lambda p, **k: torch.optim.SGD(p, 1e-3, 0.9, **k)}
    for label, shapes in SHAPES.items():
        steps = 200 if label.startswith("6") else 3
        for name, torchs in pairs.items():
            makers = {
                "descend": TABLE[name],
                "torch": torchs,
                "torch foreach": lambda p, make=torchs: make(p, foreach=True),
                "torch fused": lambda p, make=torchs: make(p, fused=True),
            }
            found = times(makers, shapes, steps)
            print(f"{label:14} {name:9}", *(f"{k} {v:,.0f} µs" for k, v in found.items()), sep="  ")
    for name, cls in TABLE.items():
        start = time.perf_counter()
        for _ in range(20):
            Program(trace(cls.rule, cls.defaults))
        print(f"compiling {name}: {(time.perf_counter() - start) / 20 * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
