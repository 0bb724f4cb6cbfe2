"""The language model: what is held back, what is learned, and how it writes on."""

import gzip
import json
import math
from pathlib import Path

import pytest
import torch

from descend.applications.language import language_problem
from descend.errors import DataError, UsageError
from descend.functions.text import TextReader

AUSTEN = Path(__file__).parents[3] / "shared" / "data" / "austen" / "austen.txt"
CPU = torch.device("cpu")
SMALL = {"context": 16, "width": 16, "layers": 1, "heads": 2}


@pytest.fixture(scope="module")
def rhyme(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "rhyme.txt"
    path.write_text("one, two, buckle my shoe;\n" * 100)
    return path


@pytest.fixture(scope="module")
def learned(rhyme):
    problem = language_problem(rhyme, **SMALL)
    torch.manual_seed(0)
    function = problem.fresh_function()
    optimizer = torch.optim.AdamW(function.parameters(), lr=1e-2)
    batches = problem.train.batches(16, 0, CPU)
    for _ in range(150):
        optimizer.zero_grad()
        problem.loss_of(function, batches.next()).backward()
        optimizer.step()
    return problem, function


# Problem -----------------------------------------------------------------------------------------
def test_the_parts_lie_one_after_another(tmp_path):
    # Each letter of a block once, so that a part shows where it lies.
    text = "".join(chr(0x4E00 + k) for k in range(3000))
    path = tmp_path / "signs.txt"
    path.write_text(text, encoding="utf-8")
    problem = language_problem(path, **SMALL)
    train, validation, test = (
        data.tokens.tolist() for data in (problem.train, problem.validation, problem.test)
    )
    assert train + validation + test == list(range(3000))
    assert len(test) == 300 and len(validation) == 300
    assert problem.reader.tokens.alphabet == text
    assert problem.facts["characters"] == 3000 and problem.facts["classes"] == 3000
    json.dumps(problem.describe_data())


def test_an_untrained_function_knows_nothing(rhyme):
    problem = language_problem(rhyme, **SMALL)
    bits = problem.evaluate(problem.function, problem.test)["bits-per-character"]
    assert bits == pytest.approx(math.log2(len(problem.reader.tokens.alphabet)), abs=0.3)


def test_it_is_learned(learned):
    problem, function = learned
    assert problem.evaluate(function, problem.test)["bits-per-character"] < 0.6


def test_a_seed_fixes_the_parameters(rhyme):
    a, b, c = (language_problem(rhyme, seed=seed, **SMALL).function.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert any(not torch.equal(a[k], c[k]) for k in a)


def test_line_ends_marks_and_packing_do_not_matter(rhyme, tmp_path):
    text = rhyme.read_text()
    alphabet = language_problem(rhyme, **SMALL).reader.tokens.alphabet
    (tmp_path / "dos.txt").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("dos.txt", "packed.txt.gz"):
        assert language_problem(tmp_path / name, **SMALL).reader.tokens.alphabet == alphabet


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"too short", "at least 1000 characters .* came 9"),
        (b"x" * 2000, "two different characters"),
        (b"caf\xe9 " * 500, "UTF-8 .* byte 0xe9 at 3"),
        (b"ab\0" * 500, "a binary file"),
    ],
)
def test_files_that_are_no_text(content, said, tmp_path):
    (tmp_path / "file.txt").write_bytes(content)
    with pytest.raises(DataError, match=said):
        language_problem(tmp_path / "file.txt")


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        language_problem(tmp_path / "none.txt")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a text " * 500)[:-9])
    with pytest.raises(DataError, match="readable text"):
        language_problem(tmp_path / "a.txt.gz")


@pytest.mark.parametrize("context", [0, -3, 260, 10**9])
def test_a_context_that_does_not_fit(context, rhyme):
    with pytest.raises(UsageError, match="a context of 1 to 259"):
        language_problem(rhyme, context=context)


def test_a_short_text_has_a_short_context(tmp_path):
    (tmp_path / "a.txt").write_text("To be, or not to be. " * 50)
    assert language_problem(tmp_path / "a.txt").facts["context"] == 26


# Predictions -------------------------------------------------------------------------------------
def test_it_writes_on(learned, tmp_path):
    problem, function = learned
    reader = TextReader.from_json(json.loads(json.dumps(problem.reader.to_json())))
    assert reader == problem.reader
    model = reader.model()
    model.load_state_dict(function.state_dict())
    (answer,) = reader.predict(model, "one, two, buckle", length=36, temperature=0)
    assert answer == {
        "prompt": "one, two, buckle",
        "text": "one, two, buckle my shoe;\none, two, buckle my shoe;\n",
    }
    (tmp_path / "prompt.txt").write_text("one, two, buckle")
    assert reader.predict(model, tmp_path / "prompt.txt", length=36, temperature=0) == [answer]
    assert reader.predict(model, str(tmp_path / "prompt.txt"), length=36, temperature=0) == [answer]


def test_a_seed_fixes_what_is_written(learned):
    problem, function = learned
    a, b, c = (
        problem.reader.predict(function, "", length=60, temperature=2, seed=seed)[0]["text"]
        for seed in (0, 0, 1)
    )
    assert a == b != c
    assert len(a) == 60
    assert problem.reader.predict(function, "two", length=0) == [{"prompt": "two", "text": "two"}]


def test_writing_leaves_the_mode_and_the_generator_as_they_were(learned):
    problem, function = learned
    function.train()
    before = torch.get_rng_state()
    problem.reader.predict(function, "one", length=3)
    assert function.training
    assert torch.equal(before, torch.get_rng_state())


def test_wrong_prompts(learned, tmp_path):
    problem, function = learned
    predict = problem.reader.predict
    with pytest.raises(DataError, match="'日', '本'"):
        predict(function, "日本")
    with pytest.raises(DataError, match="nothing there"):
        predict(function, tmp_path / "none.txt")
    with pytest.raises(DataError, match="'x'"):
        predict(function, "x" * 5000)  # too long for a file's name
    with pytest.raises(UsageError, match="did you mean length"):
        predict(function, "one", lenght=3)
    for name, value in (("length", -1), ("temperature", -0.5), ("temperature", math.nan)):
        with pytest.raises(UsageError, match=f"a {name} of at least 0"):
            predict(function, "one", **{name: value})


@pytest.mark.skipif(not AUSTEN.is_file(), reason="the data are not here")
def test_six_novels():
    problem = language_problem(AUSTEN, vocabulary=0)
    facts = problem.describe_data()
    assert facts["characters"] == 4_025_034 and facts["classes"] == 81
    assert len(problem.test.tokens) == 402_503 and len(problem.validation.tokens) == 65_536
    assert problem.train.tokens.dtype == torch.uint8
    written = "".join(problem.reader.tokens.alphabet[k] for k in problem.train.tokens[:4].tolist())
    assert written == AUSTEN.read_text()[:4]


# Byte pairs, and the text that is always there ----------------------------------------------------
def test_a_long_text_is_read_in_byte_pairs(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("It is a truth universally acknowledged, that a walker feels the slope. " * 3000)
    problem = language_problem(path, **SMALL)
    assert problem.reader.tokens.kind == "byte-pairs"
    assert language_problem(path, vocabulary=0, **SMALL).reader.tokens.kind == "characters"
    assert problem.facts["characters"] == len(path.read_text())


def test_without_a_file_it_learns_the_reference_of_the_language():
    problem = language_problem(**SMALL)
    assert (problem.name, problem.facts["source"]) == ("language", "Python's own reference")
    assert problem.facts["characters"] > 100_000


def test_a_vocabulary_that_cannot_be(rhyme):
    with pytest.raises(UsageError, match="more than 256 byte pairs"):
        language_problem(rhyme, vocabulary=200, **SMALL)
