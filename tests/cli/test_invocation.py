import time
from pathlib import Path

from descend.cli.invocation import Invocation, process_age


def call(*words: str) -> Invocation:
    return Invocation.now(list(words), of_process=False)


def test_time_runs_from_the_call():
    now = call("fit", "digits")
    time.sleep(0.01)
    assert 0.01 <= now.elapsed < 5


def test_the_age_of_this_process_is_known():
    assert process_age() >= 0


def test_command_can_be_typed_again():
    assert call("fit", "my houses.csv", "--lr", "1").command == "descend fit 'my houses.csv' --lr 1"


def test_json_is_seen_even_in_a_command_that_cannot_be_read():
    assert call("fit", "--nonsense", "--json").wants_json
    assert not call("fit", "--", "--json").wants_json


def test_resume_command():
    out = Path("runs/digits")
    assert call("fit", "digits").resume_command(out) == "descend fit digits --out runs/digits --resume"
    assert (
        call("fit", "digits", "--out", "x", "--lr", "1").resume_command(out)
        == "descend fit digits --out x --lr 1 --resume"
    )
    assert (
        call("fit", "digits", "--out=x", "--resume").resume_command(out)
        == "descend fit digits --out=x --resume"
    )
