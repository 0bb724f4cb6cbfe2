"""Ctrl-C closes the lab at once and in silence, also while somebody follows a run."""

import signal
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("starlette")

from opening import open_lab

from descend.runs.run import Run


def test_whoever_follows_is_let_go(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "going", {"name": "going"})
    run.unlock()
    process, told = open_lab(tmp_path)
    try:
        address = f"http://127.0.0.1:{told['port']}/api/runs/going/live"
        with urlopen(Request(address, headers={"authorization": f"Bearer {told['token']}"}), timeout=10):
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=10)
            assert time.monotonic() - began < 5
        assert process.returncode == 0 and said == ("", "")
    finally:
        process.kill()
