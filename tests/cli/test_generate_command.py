"""`descend generate`: a run that learned from a text writes on."""

import json

import pytest


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from descend.cli.main import run

    folder = tmp_path_factory.mktemp("generate")
    text = folder / "rhyme.txt"
    text.write_text("one, two, buckle my shoe;\n" * 100)
    words = ["fit", str(text), "--steps", "30", "--out", str(folder / "run"), "--quiet", "--no-watch"]
    assert run(words) == 0
    return folder / "run"


def test_it_writes_on(descend, trained):
    said = descend("generate", trained, "--prompt", "one, two", "--length", 40)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("one, two") and said.out.endswith("\n")
    assert len(said.out) == len("one, two") + 40 + 1
    freely = ["generate", trained, "--prompt", "one, two", "--length", 40, "--temperature", 9]
    assert descend(*freely).out == descend(*freely).out != descend(*freely, "--seed", 1).out


def test_as_json(descend, trained):
    said = descend("generate", trained, "--prompt", "two", "--length", 9, "--temperature", 0, "--json")
    answer = json.loads(said.out)
    assert answer["prompt"] == "two" and answer["text"].startswith("two") and len(answer["text"]) == 12
    assert answer["run"] == str(trained) and answer["seconds"] >= 0
    likeliest = descend("generate", trained, "--prompt", "two", "--length", 9, "--top-p", 1e-6).out
    assert likeliest == answer["text"] + "\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prompt", "ßß"], "characters learned; came 'ß'; leave them out"),
        (["--top-p", "1.5"], "a top_p above 0 and up to 1; came 1.5"),
        (["--temperature", "-1"], "--temperature"),
        (["--length", "0"], "--length"),
    ],
)
def test_wrong_words(descend, trained, words, said):
    answer = descend("generate", trained, *words)
    assert answer.code == 2 and said in answer.err and answer.err.count("\n") == 1


def test_a_run_of_something_else(descend, tmp_path):
    assert descend("fit", "rosenbrock", "--steps", 3, "--out", tmp_path / "r", "--quiet").code == 0
    said = descend("generate", tmp_path / "r")
    assert said.code == 2 and "learned from a text" in said.err and "descend predict" in said.err


def test_byte_pairs(descend, trained, tmp_path):
    pytest.importorskip("tokenizers")
    text = trained.parent / "rhyme.txt"
    words = ["fit", text, "--vocabulary", 270, "--steps", 5, "--out", tmp_path / "r", "--no-watch", "--json"]
    said = json.loads(descend(*words).out)
    assert "bits-per-character/test" in said["metrics"]
    written = descend("generate", tmp_path / "r", "--prompt", "größer", "--length", 20)  # never seen: bytes
    assert written.code == 0 and written.out.startswith("größer")
    facts = json.loads((tmp_path / "r" / "run.json").read_text())
    assert facts["data"]["options"] == {"vocabulary": 270}
