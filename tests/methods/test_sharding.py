"""Sharded parameters (FSDP2): two processes come to what one alone comes to, with every method."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

from descend.methods import TABLE

pytestmark = pytest.mark.skipif(not dist.is_available(), reason="torch was built without distributed")

TOLERANCE = 1e-12
LOOSER = {"soap-replicated": 1e-10}
"""Halves of the data are summed in another order, and eigenvectors and SOAP's step follow it the farthest."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What both processes found, case by case; they are started once."""
    folder = tmp_path_factory.mktemp("processes")
    script = Path(__file__).with_name("two_processes.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    logs = [folder / f"{rank}.log" for rank in range(2)]
    processes = []
    try:
        for rank, log in enumerate(logs):
            with log.open("w") as file:
                command = [sys.executable, str(script), str(rank), str(folder)]
                processes.append(
                    subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
                )
        codes = [process.wait(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0], "".join(log.read_text()[-2000:] for log in logs)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("name", list(TABLE))
def test_two_processes_are_as_one(name, found):
    for results in found:
        own = {case: result for case, result in results.items() if case.startswith(f"{name}-")}
        assert len(own) >= 2
        for case, result in own.items():
            assert not isinstance(result, str), f"{case}: {result}"
            assert result <= LOOSER.get(case, TOLERANCE), case
