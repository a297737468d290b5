"""Peaks of live tensor bytes: foretold without allocating, against what real tensors take."""

from statistics import median

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from triarch.core.spec import Spec, Target, reference
from triarch.core.types import Batch
from triarch.measure.count import weight_bytes
from triarch.measure.kernels import lstm_reserve
from triarch.measure.memory import batch_bytes, inference_peak, peak_bytes, training_peak
from triarch.measure.weightless import like, weightless
from triarch.model import build
from triarch.models import registry
from triarch.tasks.classify import Classify
from triarch.tasks.language_model import LanguageModel
from triarch.tasks.masked_model import MaskedModel

ROWS, WORST, MEDIAN = 3, 0.2, 0.1
TASK = Classify()


def test_peak_memory():
    x = torch.zeros(1000)
    assert peak_bytes(lambda: (x + 1) + 1, held=x.nbytes) == 3 * x.nbytes
    assert peak_bytes(lambda: x.view(10, 100).t(), held=x.nbytes) == x.nbytes

    def chain():
        value = x
        for _ in range(10):
            value = value + 1
        return value

    assert peak_bytes(chain, held=0) == 2 * x.nbytes
    assert peak_bytes(lambda: [x + 1 for _ in range(10)], held=0) == 10 * x.nbytes


def test_training_holds_gradients_moments_and_what_the_way_back_needs():
    model = nn.Sequential(nn.Linear(100, 100, bias=False), nn.Tanh(), nn.Linear(100, 1, bias=False))
    x, weights = torch.ones(8, 100), 4 * (100 * 100 + 100)
    # The greatest is where tanh is worked out: its input and its output are both there.
    assert training_peak(model, lambda: model(x).sum()) == 4 * weights + 2 * x.nbytes
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("steps", "rows", "in_dim", "dim"), [(20, 8, 24, 32), (7, 3, 2, 5), (12, 4, 80, 40), (6, 2, 300, 512)]
)
def test_what_an_lstm_keeps_for_the_way_back(steps, rows, in_dim, dim):
    kept = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            made = func(*args, **(kwargs or {}))
            if func._schema.name == "aten::mkldnn_rnn_layer":
                kept.append(made[3].nbytes)
            return made

    with Watch():
        nn.LSTM(in_dim, dim, batch_first=True)(torch.randn(rows, steps, in_dim))
    assert lstm_reserve(steps, rows, in_dim, dim) == pytest.approx(kept[0], rel=0.05)


def item(spec):
    shape = torch.randint(9, (1, *spec.shape)) if spec.modality == "text" else torch.randn(1, *spec.shape)
    return Batch(shape, None, torch.zeros(1, dtype=torch.long))


def foretold(name, size, spec):
    """Peaks in training and inference, without allocating."""
    with torch.device("meta"):
        model = build(name, size, TASK, spec)
    with weightless(model) as twin:
        batch = like(item(spec), ROWS)
        trained = training_peak(twin.train(), lambda: TASK.loss(twin(batch), batch), batch_bytes(batch))
        return trained, inference_peak(twin.eval(), batch)


def measured(name, size, spec):
    """The same of real tensors, in two steps of a real AdamW."""
    model, one = build(name, size, TASK, spec), item(spec)
    batch = Batch(one.input.repeat(ROWS, *[1] * len(spec.shape)), None, one.target.repeat(ROWS))
    optimiser = torch.optim.AdamW(model.train().parameters(), fused=True)

    def step():
        loss = TASK.loss(model(batch), batch)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    def steps():
        with torch.enable_grad():
            step()
            step()

    trained = peak_bytes(steps, weight_bytes(model) + batch_bytes(batch))
    return trained, inference_peak(model.eval(), batch)


def errors(name, size, spec):
    pairs = zip(foretold(name, size, spec), measured(name, size, spec))
    return [abs(told / taken - 1) for told, taken in pairs]


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "mingru", "decoder", "moe", "patchtst", "resnet"])
def test_peaks_are_foretold(name):
    assert max(errors(name, "nano", reference("series"))) <= WORST / 2


@pytest.mark.slow
@pytest.mark.parametrize("size", ["nano", "micro", "tiny"])
def test_peaks_of_every_architecture_are_foretold(size):
    found = {
        f"{name}/{size} {modality}": errors(name, size, reference(modality))
        for name in registry.names()
        if size in registry.find(name).sizes
        for modality in registry.find(name).modalities
    }
    every = [error for pair in found.values() for error in pair]
    assert max(every) <= WORST, {model: pair for model, pair in found.items() if max(pair) > WORST}
    assert median(every) <= MEDIAN


@pytest.mark.parametrize(("name", "kind"), [("decoder", LanguageModel), ("encoder", MaskedModel)])
def test_peaks_of_language_models_are_foretold(name, kind):
    """Whose logits are never all there at once."""
    vocabulary, rows, steps = 3000, 8, 64
    spec = Spec("text", "text", (steps,), Target("token", special=(0, 1), mask=1), vocab_size=vocabulary)
    task = kind(spec)
    with torch.device("meta"):
        empty = build(name, "nano", task, spec)

    def peak(model, batch):
        return training_peak(model.train(), lambda: task.loss(model(batch), batch), batch_bytes(batch))

    with weightless(empty) as twin:
        target = torch.zeros(rows, steps, dtype=torch.long)
        told = peak(twin, Batch(torch.zeros(rows, steps, dtype=torch.long), None, target))
        masked = Batch(torch.zeros(rows, steps, dtype=torch.long), target == 0, target)
        assert told <= peak(twin, masked) < 1.2 * told
    taken = peak(build(name, "nano", task, spec), task.prepare(Batch(torch.randint(2, vocabulary, (rows, steps + 1)))))
    assert told == pytest.approx(taken, rel=0.05)
    assert told < 3 * 4 * rows * steps * vocabulary
