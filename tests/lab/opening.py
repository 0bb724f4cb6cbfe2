"""The lab in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def open_lab(runs: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """Start a lab; return its process, and what it said: its address, port and token."""
    words = ["lab", "--no-browser", "--json", "--port", "0", "--runs", str(runs)]
    process = subprocess.Popen(
        [sys.executable, "-m", "descend", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())
