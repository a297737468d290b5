import pytest
import torch

from exams.specs import inputs, spec
from triarch.layers.stochastic_depth import StochasticDepth, rates
from triarch.models import registry


def test_rows_are_left_out_and_the_mean_stays():
    torch.manual_seed(0)
    drop = StochasticDepth(0.25)
    x = torch.ones(4000, 3, 2, 2)
    made = drop(x)
    assert torch.allclose(made.unique(), torch.tensor([0, 4 / 3]))
    assert (made.flatten(1) == made[:, :1, 0, 0]).all()
    assert made.mean().item() == pytest.approx(1, abs=0.05)
    assert drop.eval()(x) is x


def test_rates_rise_with_depth():
    assert rates(0.2, (2, 1)) == [[0.0, 0.1], [0.2]]
    assert rates(0.2, (1,)) == [[0.0]]


@pytest.mark.parametrize("name", ["resnet", "convnext", "mobilenet"])
def test_dropout_acts_while_training_only(name):
    architecture = registry.find(name)
    config = architecture.configure("micro", {"dropout": 0.5})
    torch.manual_seed(0)
    backbone = architecture.backbone(config, spec("image"))
    for module in backbone.modules():  # a norm that begins at zero would hide what is left out
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    x = inputs(spec("image"), 6)
    backbone(x)
    assert not torch.equal(backbone(x)[0].pooled, backbone(x)[0].pooled)
    backbone.eval()
    assert torch.equal(backbone(x)[0].pooled, backbone(x)[0].pooled)
