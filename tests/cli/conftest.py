import dataclasses

import pytest

from descend.cli.main import run


@dataclasses.dataclass
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def descend(capfd, monkeypatch):
    """Run one command in this process, through the real entry, and return what it said."""
    monkeypatch.delenv("DESCEND_TRACEBACK", raising=False)

    def call(*words: object) -> Said:
        capfd.readouterr()
        code = run([str(word) for word in words])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call
