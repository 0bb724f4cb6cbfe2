"""Choosing threads measures, and leaves everything as it was."""

import torch
from problems import classes

from descend.descent.threads import choose_threads


def test_a_short_step_gets_one_thread_and_nothing_is_touched() -> None:
    problem = classes()
    before = {k: v.clone() for k, v in problem.function.state_dict().items()}
    random = torch.get_rng_state()
    threads = torch.get_num_threads()
    try:
        chosen, why = choose_threads(problem, 32, torch.device("cpu"), 4)
    finally:
        torch.set_num_threads(threads)
    assert chosen == 1
    assert "too short to share" in why
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in problem.function.state_dict().items())
