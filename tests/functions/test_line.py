import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from descend.functions.line import PENALTIES, best_lines


@pytest.mark.parametrize(("rows", "features"), [(40, 5), (20, 60)])
def test_each_row_is_told_by_the_line_of_all_others(rows, features):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(rows, features))
    z = x[:, 0] - 2 * x[:, 1] + generator.normal(size=rows) + 3
    line = next(best_lines(torch.from_numpy(x), [torch.from_numpy(z)]))

    def left_out(penalty):
        told = []
        for i in range(rows):
            others = np.arange(rows) != i
            # The penalty on the weight alone, and the bias as scikit-learn has it.
            told.append(Ridge(penalty).fit(x[others], z[others]).predict(x[i : i + 1])[0])
        return np.array(told)

    own = left_out(line.penalty)
    np.testing.assert_allclose(line.apart.numpy(), own, rtol=1e-6, atol=1e-6)
    errors = {p: np.square(z - left_out(p)).sum() for p in PENALTIES.tolist()}
    assert errors[line.penalty] == pytest.approx(min(errors.values()), rel=1e-6)
    whole = Ridge(line.penalty).fit(x, z)
    np.testing.assert_allclose(line.weight.numpy(), whole.coef_, rtol=1e-6, atol=1e-8)
    assert line.bias == pytest.approx(whole.intercept_)


def test_constant_features_and_answers_are_survived():
    x = torch.zeros(7, 3)
    line = next(best_lines(x, [torch.full((7,), 2.0)]))
    assert not line.weight.any() and line.bias == pytest.approx(2)
    assert torch.isfinite(line.apart).all()


def test_of_a_large_table_a_part_is_looked_at(monkeypatch):
    monkeypatch.setattr("descend.functions.line.CELLS", 50)
    x = torch.randn(101, 2)
    line = next(best_lines(x, [x[:, 0]]))
    assert line.rows.tolist() == list(range(0, 101, 5))
    torch.testing.assert_close(line.weight, torch.tensor([1.0, 0.0]).double(), atol=0.01, rtol=0)
