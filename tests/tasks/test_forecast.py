"""Forecasting: its arithmetic against numpy, and that a network learns what there is to learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from triarch.core.machine import computing
from triarch.core.spec import Future, Spec, Target
from triarch.core.types import Batch, Features, FeatureShape
from triarch.data.asked import Continued
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.tasks import registry
from triarch.tasks.forecast import MEDIAN, QUANTILES, Forecast, pinball
from triarch.training.evaluate import evaluate
from triarch.training.recipe import make
from triarch.training.start import resolve, start

FUTURE = Future(horizon=4, lookback=12, season=3, repeat=3)
SPEC = Spec("series", "series", (12, 2), Target("future", future=FUTURE))


def batch():
    torch.manual_seed(0)
    return Batch(50 + 10 * torch.randn(5, 12, 2), target=50 + 10 * torch.randn(5, 4), unit=torch.rand(5) + 1)


def test_a_window_is_normalised_by_itself():
    raw = batch()
    prepared = Forecast(SPEC).prepare(raw)
    assert prepared.input[..., 0].mean(dim=1).abs().max() < 1e-5
    assert torch.allclose(prepared.input[..., 0].std(dim=1, correction=0), torch.ones(5), atol=1e-5)
    assert (prepared.input[..., 1] == raw.input[..., 1]).all()
    assert (prepared.base[:, :3] == raw.input[:, -3:, 0]).all()
    assert (prepared.base[:, 3] == raw.input[:, -3, 0]).all()


def test_an_output_of_zeros_is_the_last_season():
    task, raw = Forecast(SPEC), batch()
    prepared = task.prepare(raw)
    answers = task.decode(torch.zeros(5, 4, len(QUANTILES)), prepared)
    assert (answers == prepared.base[..., None]).all()


def test_metrics_are_those_of_the_books():
    task, prepared = Forecast(SPEC), Forecast(SPEC).prepare(batch())
    output = torch.randn(5, 4, len(QUANTILES))
    found = task.metrics(output, prepared)
    answers, wanted = task.decode(output, prepared).numpy(), prepared.target.numpy()
    assert (np.diff(answers, axis=-1) >= 0).all()
    middle, unit = answers[..., MEDIAN], prepared.unit.numpy()
    assert np.allclose(found["MASE"], np.abs(middle - wanted).mean(1) / unit, rtol=1e-5)
    smape = 200 * (np.abs(middle - wanted) / (np.abs(middle) + np.abs(wanted))).mean(1)
    assert np.allclose(found["sMAPE"], smape, rtol=1e-5)
    each = [np.where(wanted >= q, level * (wanted - q), (1 - level) * (q - wanted))
            for level, q in zip(QUANTILES, np.moveaxis(answers, -1, 0))]  # fmt: skip
    assert np.allclose(found["CRPS"], 2 * np.mean(each, axis=(0, 2)) / unit, rtol=1e-4)


def test_pinball_is_least_at_the_quantile():
    values = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0))
    grid = torch.linspace(-2, 2, 81)
    losses = torch.stack([pinball(place.expand(len(values), 1, len(QUANTILES)), values).mean((0, 1)) for place in grid])
    least = grid[losses.argmin(dim=0)]
    assert torch.allclose(least, torch.distributions.Normal(0, 1).icdf(torch.tensor(QUANTILES)), atol=0.08)


def test_a_constant_window_breaks_nothing():
    task = Forecast(SPEC)
    flat = replace(batch(), input=torch.full((5, 12, 2), 7.0), target=torch.full((5, 4), 7.0))
    prepared = task.prepare(flat)
    output = torch.zeros(5, 4, len(QUANTILES), requires_grad=True)
    loss = task.loss(output, prepared)
    loss.backward()
    assert loss == 0
    assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e30])
def test_the_size_of_a_series_changes_nothing(size):
    wave = 10 + np.sin(2 * np.pi * np.arange(300) / 12)
    source = open_source(
        pd.DataFrame({"ds": np.arange(300), "y": size * wave}), continued=Continued(horizon=6, lookback=24)
    )
    data = prepare(source)
    task = registry.infer(data.spec)
    prepared = task.prepare(data.batch(data.rows("select")))
    plain = Forecast(prepare(open_source(
        pd.DataFrame({"ds": np.arange(300), "y": wave}), continued=Continued(horizon=6, lookback=24)
    )).spec)  # fmt: skip
    expected = plain.prepare(replace(prepared, input=torch.from_numpy(source.take(data.rows("select")) / size).float()))
    assert torch.allclose(prepared.input, expected.input, atol=2e-4)
    zeros = torch.zeros(len(prepared), 6, len(QUANTILES))
    assert all(torch.isfinite(values).all() for values in task.metrics(zeros, prepared).values())


@pytest.mark.parametrize("stride", [1, 4])
def test_a_head_reads_any_stride(stride):
    shape = FeatureShape("sequence", 6, stride, 5)
    head = Forecast(SPEC).head(shape, SPEC)
    features = Features(torch.randn(5, 12 // stride + 1, 6), None, "sequence", torch.randn(5, 5))
    assert head(features, Forecast(SPEC).prepare(batch())).shape == (5, 4, len(QUANTILES))


def test_the_task_is_told_from_the_data_and_no_other_fits():
    assert registry.infer(SPEC).name == "forecast"
    with pytest.raises(Exception, match="data to forecast"):
        registry.find("classify", SPEC)


def test_what_is_known_ahead_is_learned_from():
    random, rows = np.random.default_rng(0), []
    for number in range(3):
        promoted = random.random(400) < 0.3
        values = 10 * number + 8 * promoted + 0.3 * random.normal(size=400)
        rows.append(pd.DataFrame({"unique_id": number, "ds": np.arange(400), "y": values, "promo": promoted * 1.0}))
    data = prepare(open_source(pd.concat(rows), continued=Continued(horizon=6, lookback=8, known=("promo",))))
    task = registry.infer(data.spec)
    with computing(1, 0, flush_denormals=True):
        trainer = start(resolve(make({"model": "tcn/nano", "steps": 300}), data), data, task)
        trainer.run()
    scores = evaluate(trainer.result, task, data.batches(data.rows("confirm")))
    naive = task.judge(
        torch.from_numpy(data.source.take(data.rows("confirm"))[:, 2:8, 0]), data.wanted(data.rows("confirm"))
    )
    assert scores.mean("MASE") < 0.4 * naive["MASE"].mean()


def test_a_network_sees_the_recent_steps_and_those_a_season_before_each():
    future = replace(FUTURE, lookback=12, recent=5, lags=(6, 9), channels=("y", "open"), known=1)
    spec = Spec("series", "series", (16, 2), Target("future", future=future))
    task = Forecast(spec)
    assert task.view(spec).shape == (9, 4)
    window = torch.arange(16.0).repeat(2, 1)
    raw = Batch(torch.stack((window, 100 + window), dim=2), target=torch.ones(2, 4), unit=torch.ones(2))
    prepared = task.prepare(raw)
    seen = prepared.input[0]
    spread, mean = prepared.spread[0], 5.5
    assert torch.allclose(seen[:5, 0] * spread + mean, torch.arange(7.0, 12.0), atol=1e-5)
    assert (seen[5:, 0] == 0).all()
    assert torch.allclose(seen[:, 1] * spread + mean, torch.arange(1.0, 10.0), atol=1e-5)
    assert (seen[:2, 2] == 0).all()
    assert torch.allclose(seen[2:, 2] * spread + mean, torch.arange(0.0, 7.0), atol=1e-5)
    assert (seen[:, 3] == torch.arange(107.0, 116.0)).all()
    unknown = Forecast(replace(spec, shape=(12, 1), target=Target("future", future=replace(future, known=0))))
    alone = unknown.prepare(replace(raw, input=raw.input[:, :12, :1]))
    assert torch.equal(alone.input, prepared.input[..., :3])


def test_a_season_far_back_is_learned_in_few_steps():
    random = np.random.default_rng(0)
    profile = random.normal(size=60)
    values = np.tile(profile, 20) + 0.5 * random.normal(size=1200)
    table = pd.DataFrame({"ds": np.arange(1200), "y": values})
    data = prepare(open_source(table, continued=Continued(horizon=10, season=60)))
    assert data.spec.future.lags[:3] == (60, 120, 180)
    task = registry.infer(data.spec)
    with computing(1, 0, flush_denormals=True):
        trainer = start(resolve(make({"model": "plain/nano", "steps": 150}), data), data, task)
        trainer.run()
    confirm = data.rows("confirm")
    scores = evaluate(trainer.result, task, data.batches(confirm))
    naive = task.judge(torch.from_numpy(data.source.take(confirm)[:, -60:-50, 0]), data.wanted(confirm))
    assert scores.mean("MASE") < 0.87 * naive["MASE"].mean()  # three seasons' mean gains 18%, one season nothing
