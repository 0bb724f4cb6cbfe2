"""Training in two processes, watched: copies of a network (DDP), and one cut between them (FSDP2)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    script = Path(__file__).with_name("two_processes.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", str(script), str(rank), str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=240)[1] for process in started]
    assert not any(process.returncode for process in started), said
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("way", ["ddp", "fsdp2"])
def test_a_sound_training_is_the_same_and_nothing_is_said(found, way):
    for process in found:
        same, steps, windows, causes, missing = process[way]
        assert same and steps == 60 and windows >= 30
        assert causes == []
        assert not [m for m in missing if "anything" in m]


@pytest.mark.parametrize("way", ["ddp", "fsdp2"])
def test_a_fault_is_named_in_each_process(found, way):
    for process in found:
        same, _, _, causes, _ = process[f"{way}, gradients kept"]
        assert same and causes[:1] == ["missing-zero-grad"]
