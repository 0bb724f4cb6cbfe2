"""An error is one sentence: what was expected, what came, what to do."""

import pytest

import descend
from descend.errors import DataError, DescendError, MissingExtra, RunError, UsageError, nearest


def test_the_three_parts_make_one_sentence() -> None:
    assert (
        str(DataError("a table", "a picture", "give a CSV")) == "expected a table; came a picture; give a CSV"
    )


@pytest.mark.parametrize("kind", [UsageError, DataError, RunError, MissingExtra])
def test_one_tree(kind: type[DescendError]) -> None:
    assert issubclass(kind, descend.DescendError)
    assert kind.exit_code == 2


def test_a_missing_extra_names_the_install_command() -> None:
    assert "pip install 'descend[images]'" in str(MissingExtra("pillow", "images", "reading pictures"))


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("adamm", ["adamw", "adam", "sgd"], "did you mean adam or adamw?"),
        ("PRICE", ["Price", "Rooms"], "did you mean Price?"),
        ("zzz", ["a", "b"], "choose one of: a, b"),
        ("zzz", [f"column-{i}" for i in range(50)], "and 10 more"),
    ],
)
def test_nearest(name: str, known: list[str], said: str) -> None:
    assert said in nearest(name, known)
