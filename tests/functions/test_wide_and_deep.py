import torch

from descend.functions.wide_and_deep import WideAndDeep


def test_wide_and_deep_starts_at_zero_and_adds_its_parts():
    torch.manual_seed(0)
    function = WideAndDeep(5, 3, [4, 7], dropout=0.5).eval()
    x, codes = torch.randn(6, 5), torch.stack([torch.randint(4, (6,)), torch.randint(7, (6,))], 1)
    assert function(x, codes).shape == (6, 3) and not function(x, codes).any()
    with torch.no_grad():
        for p in function.parameters():
            p.normal_()
    embedded = torch.cat([x, *(function.embedding.weight[codes[:, i] + (0, 4)[i]] for i in range(2))], 1)
    h = embedded
    for layer in function.deep:
        h = torch.nn.functional.silu(h @ layer.weight.T + layer.bias)
    expected = embedded @ function.wide.weight.T + function.wide.bias + h @ function.last.weight.T
    torch.testing.assert_close(function(x, codes), expected)
    assert WideAndDeep(5).eval()(x).shape == (6,)


def test_forgotten_features_have_no_say():
    function = WideAndDeep(3).eval()
    with torch.no_grad():
        function.last.weight.normal_()
    x = torch.randn(5, 3)
    before = function(x)
    function.forget(torch.tensor([1]))
    assert not torch.equal(function(x), before)
    torch.testing.assert_close(function(x), function(x * torch.tensor([1.0, 9.0, 1.0])))
