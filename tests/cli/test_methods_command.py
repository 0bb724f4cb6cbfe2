import json

import descend.methods as known


def test_every_method_is_listed(descend, monkeypatch):
    answer = json.loads(descend("methods", "--json").out)
    assert [row["name"] for row in answer["methods"]] == known.names()
    for row in answer["methods"]:
        assert row["equation"] and row["summary"] and "\n" not in row["equation"]
        assert "lr" in row["hyperparameters"] and row["bytes_per_parameter"] >= 0

    lines = descend("methods").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["name", *known.names()]
    assert all(line.count("\t") == 4 for line in lines)
    assert "maximize" not in "".join(lines)

    monkeypatch.setattr("descend.cli.methods.is_terminal", lambda: True)
    said = descend("methods").out
    assert all(name in said for name in known.names())
