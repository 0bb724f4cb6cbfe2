import pytest

from descend.cli.flags import duration, hyperparameters, number, starts, whole
from descend.errors import UsageError


def test_number_keeps_its_bounds():
    assert number("--lr", above=0)("1e-3") == 1e-3
    assert number("--warmup", least=0, below=1)("0") == 0
    assert number("--until-loss")("-5") == -5


@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "abc", "", "1,5"])
def test_number_refuses(text):
    with pytest.raises(UsageError) as caught:
        number("--lr", above=0)(text)
    assert "--lr" in str(caught.value) and repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["1", "1.5", "-0.1"])
def test_number_below(text):
    with pytest.raises(UsageError, match="at least 0 and below 1"):
        number("--warmup", least=0, below=1)(text)


def test_the_example_offered_is_itself_taken():
    for bounds in ({"above": 0}, {"least": 0, "below": 1}, {}, {"least": 0}):
        read = number("--x", **bounds)
        with pytest.raises(UsageError) as caught:
            read("?")
        read(caught.value.do.split()[-1])


@pytest.mark.parametrize(("text", "value"), [("500", 500), ("10_000", 10_000), ("1e4", 10_000), ("2.0", 2)])
def test_whole(text, value):
    read = whole("--steps", least=1)(text)
    assert read == value and isinstance(read, int)


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "inf", "nan", "x", "1e999"])
def test_whole_refuses(text):
    with pytest.raises(UsageError, match="--steps"):
        whole("--steps", least=1)(text)


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("90s", 90), ("1.5m", 90), ("1h", 3600)])
def test_duration(text, value):
    assert duration("--seconds")(text) == value


@pytest.mark.parametrize("text", ["0", "-1s", "5 days", "s", "", "inf"])
def test_duration_refuses(text):
    with pytest.raises(UsageError, match="--seconds"):
        duration("--seconds")(text)


def test_hyperparameters():
    words = ["betas=0.9,0.95", "weight-decay = 0.1", "nesterov=TRUE", "eps=1e-6", "mode=fast", "x=[1, 2]"]
    assert hyperparameters("--set", words) == {
        "betas": (0.9, 0.95),
        "weight_decay": 0.1,
        "nesterov": True,
        "eps": 1e-6,
        "mode": "fast",
        "x": (1, 2),
    }


@pytest.mark.parametrize("words", [["a"], ["=1"], ["a="], ["1a=2"], ["a=1", "a=2"]])
def test_hyperparameters_refuses(words):
    with pytest.raises(UsageError, match="--set"):
        hyperparameters("--set", words)


def test_starts():
    assert starts("--start", []) == {}
    words = ["b1=500, b2 = 1e-4", "c=-2", "lambda=1", "µ=.5"]
    assert starts("--start", words) == {"b1": 500, "b2": 1e-4, "c": -2, "lambda": 1, "µ": 0.5}


@pytest.mark.parametrize(
    "word",
    [
        "a",
        "a=",
        "=1",
        "a=b",
        "a=nan",
        "a=inf",
        "a=1,",
        "a=1,5",
        "1a=2",
        "a b=1",
        "a==1",
        "a=1,a=2",
        "",
        "a=1 b=2",
    ],
)
def test_starts_refuses(word):
    with pytest.raises(UsageError, match="--start") as caught:
        starts("--start", [word])
    assert "\n" not in str(caught.value)
