"""How many threads a step is worth, by measuring.

Threads that share a step of a few hundred microseconds mostly wait for each other, and where another
process holds one of the cores they wait a whole time slice: a 0.24 ms step was seen to take 84 ms. So a
step is timed on one thread first, and more are used only where they clearly pay.
"""

import time

import torch

from descend.descent.precision import in_precision
from descend.functions.problem import Problem

SHORT = 1.5e-3
"""Seconds: a step below this gains nothing from threads that could not be lost to one busy core."""


PAYS = 0.7
"""Threads are used where they bring a step below this share of its time on one: a small gain on a quiet
machine is lost several times over as soon as a neighbour wants one of the cores."""


def choose_threads(
    problem: Problem, batch_size: int, device: torch.device, most: int, precision: str = "float32"
) -> tuple[int, str]:
    """Measure a gradient on one thread and on more, and choose.

    The problem, its function and the random generators are left as they were. The number of threads is
    left as chosen.

    Args:
        problem: the problem.
        batch_size: examples a step.
        device: where the step runs; off the CPU nothing is measured.
        most: the largest number allowed.
        precision: float32 or bfloat16.

    Returns:
        The number of threads, and a sentence that says why.
    """
    if device.type != "cpu" or most == 1:
        torch.set_num_threads(most)
        return most, ""
    with torch.random.fork_rng(devices=[]):
        function = in_precision(problem.fresh_function(), precision)
        batch = problem.train.batches(batch_size, 0, device).next()

        def gradient() -> None:
            problem.loss_of(function, batch).backward()

        def seconds() -> float:
            gradient()
            best, until = float("inf"), time.perf_counter() + 0.15
            for _ in range(20):
                start = time.perf_counter()
                gradient()
                end = time.perf_counter()
                best = min(best, end - start)
                if end > until:
                    break
            return best

        torch.set_num_threads(1)
        alone = seconds()
        if alone < SHORT:
            return 1, f"1 thread: a gradient takes {alone * 1e3:.2g} ms, too short to share"
        torch.set_num_threads(most)
        shared = seconds()
    if shared < PAYS * alone:
        return most, f"{most} threads: a gradient takes {shared * 1e3:.3g} ms, {alone * 1e3:.3g} ms on one"
    torch.set_num_threads(1)
    return 1, f"1 thread: a gradient takes {alone * 1e3:.3g} ms, {shared * 1e3:.3g} ms on {most}"
