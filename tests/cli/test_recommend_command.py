"""`descend fit` on ratings, and `descend recommend` with its run."""

import json

import pytest


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("recommend") / "films.csv"
    lines = ["userId,movieId,rating,timestamp,title"]
    for u in range(30):
        for k in range(9):
            i = (7 * u + 3 * k) % 20
            lines.append(f"{u},{i},{4.5 if u % 2 == i % 2 else 2},{1000 * u + k},The film {i}")
    lines += ["3,1,so so,5,The film 1", "3,,4,5,"]
    path.write_text("\n".join(lines) + "\n")
    return path


def fitted(table, name, *more):
    from descend.cli.main import run

    out = table.parent / name
    words = ["fit", str(table), "--user", "userId", "--item", "movieId", "--steps", "8", "--out", str(out)]
    assert run([*words, *more, "--quiet", "--no-watch", "--threads", "1"]) == 0
    return out


@pytest.fixture(scope="module")
def rated(table):
    return fitted(table, "rated", "--target", "rating")


@pytest.fixture(scope="module")
def chosen(table):
    return fitted(table, "chosen")


def test_the_run_says_what_was_left_out_and_how_it_was_made(rated):
    facts = json.loads((rated / "run.json").read_text())
    assert facts["data"]["options"] == {"target_column": "rating", "user": "userId", "item": "movieId"}
    assert "1 left out: no item" in facts["notes"]
    assert "1 left out: a rating that is no number" in facts["notes"]
    assert "rmse/test" in facts["metrics"] and facts["metric"]["larger_is_better"] is False


def test_somebody_known(descend, rated):
    said = descend("recommend", rated, "--user", 4, "--top", 3, "--json")
    answer = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert answer["user"] == "4" and answer["known"] == 9 and len(answer["recommendations"]) == 3
    one = answer["recommendations"][0]
    assert one.keys() == {"item", "name", "prediction", "spread", "base", "because"}
    assert one["name"] == f"The film {one['item']}" and one["because"][0].keys() == {
        "item",
        "name",
        "rating",
        "share",
    }
    lines = descend("recommend", rated, "--user", 4, "--top", 3).out.splitlines()
    assert len(lines) == 3 and lines[0].startswith(f"1. The film {one['item']} ({one['item']})  ")
    assert "because you rated The film" in lines[0]


def test_somebody_new(descend, rated, table):
    mine = table.parent / "mine.csv"
    mine.write_text("title,rating\nThe film 2,5\nThe film 1,1\nNo film,3\n")
    said = descend("recommend", rated, "--ratings", mine, "--json")
    answer = json.loads(said.out)
    assert answer["known"] == 2 and answer["notes"] == ["1 left out: an item that is not known"]
    assert len(answer["recommendations"]) == 10
    said = descend("recommend", rated, "--ratings", mine)
    assert said.code == 0 and "1 left out" in said.err and said.out.count("\n") == 10
    said = descend(
        "recommend", rated, "--likes", "the film 2", "--likes", "4", "--likes", "Teh film 6", "--json"
    )
    answer = json.loads(said.out)
    assert answer["known"] == 2 and "did you mean The film 6" in answer["notes"][0]


def test_of_choices(descend, chosen):
    answer = json.loads(descend("recommend", chosen, "--likes", "3", "--top", 2, "--json").out)
    one = answer["recommendations"][0]
    assert one.keys() == {"item", "name", "score", "base", "because"}
    assert all(reason.keys() == {"item", "name", "share"} for reason in one["because"])
    assert descend("recommend", chosen, "--user", "5").code == 0


def test_pairs(descend, rated, table):
    pairs = table.parent / "pairs.csv"
    pairs.write_text("userId,movieId\n4,3\n77,3\n4,x\n")
    answer = json.loads(descend("predict", rated, pairs, "--json").out)
    assert [row["note"] for row in answer["predictions"]] == ["", "unknown user", "unknown item"]
    assert all(0.5 <= row["prediction"] <= 5 for row in answer["predictions"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "one of --user, --ratings and --likes; came none"),
        (["--user", "4", "--likes", "3"], "came --user and --likes"),
        (["--user", "nobody"], "one of 30 users; came 'nobody'"),
        (["--likes", "nothing like it"], "one of 20 items for --likes"),
        (["--ratings", "none.csv"], "does not exist"),
        (["--user", "4", "--top", "0"], "--top"),
    ],
)
def test_wrong_words(descend, rated, words, said):
    answer = descend("recommend", rated, *words)
    assert answer.code == 2 and said in answer.err and answer.err.count("\n") == 1


def test_wrong_columns_and_wrong_runs(descend, table, tmp_path):
    said = descend("fit", table, "--user", "userId", "--target", "rating", "--out", tmp_path / "a")
    assert said.code == 2 and "both --user and --item" in said.err
    said = descend("fit", table, "--user", "userid", "--item", "movieId", "--out", tmp_path / "a")
    assert said.code == 2 and "did you mean userId" in said.err
    assert descend("fit", "rosenbrock", "--steps", 3, "--out", tmp_path / "r", "--quiet").code == 0
    said = descend("recommend", tmp_path / "r", "--user", "4")
    assert said.code == 2 and "learned from ratings" in said.err
    said = descend("fit", "digits", "--user", "a", "--item", "b", "--out", tmp_path / "b")
    assert said.code == 2 and "user" in said.err
