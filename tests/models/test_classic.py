"""The textbook's three networks, each built from the library in a few lines and trained a few steps."""

import torch

from triarch.core.spec import Spec, Target
from triarch.core.types import Batch
from triarch.measure.count import params
from triarch.model import build
from triarch.tasks.classify import Classify


def learns(model, batch, steps=30):
    """The loss falls to less than half."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(steps):
        loss = Classify().loss(model(batch), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_convolutional_classifier():
    torch.manual_seed(0)
    spec = Spec("pictures", "image", (3, 32, 32), Target("class", tuple("0123456789")))
    model = build("plain", "classic", Classify(), spec)
    assert [tuple(conv.weight.shape) for conv in model.backbone.convs] == [(32, 3, 3, 3), (64, 32, 3, 3)]
    assert params(model) == 3 * 32 * 9 + 32 + 32 * 64 * 9 + 64 + 64 * 8 * 8 * 128 + 128 + 128 * 10 + 10
    batch = Batch(torch.randn(20, 3, 32, 32), target=torch.arange(20) % 10)
    assert model(batch).shape == (20, 10)
    learns(model, batch)


def test_two_layer_lstm_read_at_the_last_step():
    torch.manual_seed(0)
    spec = Spec("signals", "series", (15, 10), Target("class", ("no", "yes")))
    model = build("lstm", "nano", Classify(), spec, {"dim": 8, "depth": 2, "directions": 1})
    assert params(model.backbone) == params(torch.nn.LSTM(10, 8, 2))
    batch = Batch(torch.randn(16, 15, 10), target=torch.arange(16) % 2)
    features, _ = model.backbone(batch.input)
    assert torch.equal(features.pooled, features.values[:, -1])
    assert model(batch).shape == (16, 2)
    learns(model, batch, steps=80)


def test_transformer_of_eight_heads():
    torch.manual_seed(0)
    spec = Spec("texts", "text", (20,), Target("class", ("no", "yes")), vocab_size=50)
    settings = {"dim": 64, "num_heads": 8, "hidden_dim": 256, "position": "sinusoidal"}
    model = build("encoder", "nano", Classify(), spec, settings)
    batch = Batch(torch.randint(50, (16, 20)), target=torch.arange(16) % 2)
    assert model(batch).shape == (16, 2)
    learns(model, batch)
