"""Ctrl-C closes the lab at once and in silence, also while somebody follows a run."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("starlette")

from descend.runs.run import Run


def test_whoever_follows_is_let_go(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "going", {"name": "going"})
    run.unlock()
    words = ["lab", "--no-browser", "--json", "--port", "0", "--runs", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "descend", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        address = f"http://127.0.0.1:{told['port']}/api/runs/going/live"
        with urlopen(Request(address, headers={"authorization": f"Bearer {told['token']}"}), timeout=10):
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=10)
            assert time.monotonic() - began < 5
        assert process.returncode == 0 and said == ("", "")
    finally:
        process.kill()
