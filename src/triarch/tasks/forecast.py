"""Forecasting: how a series goes on, as quantiles of each of its next steps."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.results import Metric
from triarch.core.spec import Future, Spec
from triarch.core.types import Batch, Features, FeatureShape

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
MEDIAN = QUANTILES.index(0.5)
TINY = 1e-5
OWN = 32


class Head(nn.Module):
    """Each step ahead reads a mixture of its own of what was made of the steps seen, the summary, and the series.

    The last goes past the network, so that none has to learn to copy far back: a linear model of the recent steps (Lai
    et al. 2018, "Modeling long- and short-term temporal patterns", arXiv 1703.07015), and a small one of what is known
    of the step ahead itself (as the temporal decoder of Das et al. 2023, "Long-term forecasting with TiDE", arXiv
    2304.08424).
    """

    def __init__(self, shape: FeatureShape, view: Spec) -> None:
        super().__init__()
        steps, horizon = view.max_len, view.horizon
        self.linear = nn.Linear(recent(view.future), horizon, bias=False)
        self.steps, self.horizon = max(1, steps // shape.stride), horizon
        self.own: nn.Sequential | None = None
        if steps > recent(view.future):
            self.own = nn.Sequential(nn.Linear(view.in_channels - 1, OWN), nn.GELU(), nn.Linear(OWN, len(QUANTILES)))
        self.mix = nn.Linear(self.steps, horizon)
        with torch.no_grad():  # a step ahead begins with the step of its own, where that is known, or the like of it
            own = self.steps - 1 - torch.arange(horizon).flip(0) // shape.stride
            self.mix.weight[torch.arange(horizon), own.clamp(min=0)] += 1
        self.read = nn.Linear(shape.dim, len(QUANTILES))
        self.pooled = nn.Linear(shape.pooled_dim, horizon * len(QUANTILES))
        last = [self.linear, self.read, self.pooled, *([self.own[-1]] if self.own else [])]
        for parameter in (parameter for layer in last for parameter in layer.parameters()):
            nn.init.zeros_(parameter)  # the first forecast is the base of the task

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """→ (B H Q); the batch is prepared."""
        values = features.values[:, -self.steps :]
        values = F.pad(values, (0, 0, self.steps - values.shape[1], 0))
        ahead = self.read(self.mix(values.mT).mT)
        straight = self.linear(batch.input[:, : self.linear.in_features, 0])
        made: Tensor = ahead + straight[..., None] + self.pooled(features.pooled).unflatten(1, (self.horizon, -1))
        return made + self.own(batch.input[:, -self.horizon :, 1:]) if self.own else made


class Forecast:
    """Pinball loss of quantiles; scored by the mean absolute scaled error of the median.

    Each window is normalised by itself (Kim et al. 2022, "Reversible instance normalization"): a network sees how far
    the series is from its mean, in its standard deviations, and says what its last steps, repeated, lack. It sees the
    recent steps one by one, and beside each step those some seasons before it (Salinas et al. 2020, "DeepAR", arXiv
    1704.04110): so what is far back is near, and sequences are short.
    """

    name = "forecast"
    causal = False
    scores: tuple[Metric, ...] = (Metric("MASE", "min"), Metric("CRPS", "min"), Metric("sMAPE", "min"))

    def __init__(self, spec: Spec | None = None) -> None:
        self.primary: Metric = self.scores[0]
        self.future = spec.target.future if spec is not None else None

    def view(self, spec: Spec) -> Spec:
        """The recent steps, and those ahead where anything is known of them, with a channel for each lag."""
        future = spec.future
        ahead = future.horizon if future.lags or future.steps > future.lookback else 0
        return replace(spec, shape=(recent(future) + ahead, spec.in_channels + len(future.lags)))

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """The window normalised by itself, its last steps repeated (B H), and the size of what that may lack (B)."""
        assert self.future is not None
        seen, repeat = self.future.lookback, self.future.repeat
        series = batch.input[:, :seen, 0]
        ahead = torch.arange(self.future.horizon, device=series.device)
        base = series[:, seen - repeat + ahead % repeat]
        mean = series.mean(dim=1, keepdim=True)
        # In units of the series: the square of what is very large or small is no number of 32 bits.
        spread = ((series - mean) / self.future.scale).square().mean(dim=1).sqrt().clamp(min=TINY) * self.future.scale
        normal = (series - mean) / spread[:, None]
        return replace(batch, input=self._seen(normal, batch.input), base=base, spread=spread)

    def _seen(self, normal: Tensor, window: Tensor) -> Tensor:
        """The normalised series (B L) and the window (B T C) as `view` says."""
        assert self.future is not None
        steps, lags = recent(self.future), self.future.lags
        ahead = self.future.horizon if lags else window.shape[1] - self.future.lookback
        places = torch.arange(-steps, ahead, device=normal.device)
        others = F.pad(window, (0, 0, 0, self.future.lookback + ahead - window.shape[1]))[:, -len(places) :, 1:]
        own = F.pad(normal, (0, ahead))[:, -len(places) :, None]
        farthest = max(lags, default=0)  # what is farther back than the look-back is taken to be its mean
        before = F.pad(normal, (farthest, 0))
        back = torch.tensor(lags, dtype=torch.int64, device=normal.device)
        lagged = before[:, before.shape[1] + places[:, None] - back]
        return torch.cat((own, lagged, others), dim=2)

    def head(self, shape: FeatureShape, spec: Spec) -> nn.Module:
        """Features of sequences → (B H Q)."""
        return Head(shape, self.view(spec))

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean pinball loss of quantiles (B H Q), in the windows' own deviations (Koenker, Bassett 1978)."""
        assert batch.target is not None
        assert batch.base is not None
        assert batch.spread is not None
        wanted = (batch.target - batch.base) / batch.spread[:, None]
        return pinball(output, wanted).mean()

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Of each item: MASE and sMAPE (%) of the median; CRPS, from the quantiles, in the units of MASE; the loss.

        MASE: Hyndman, Koehler 2006; CRPS as twice the mean pinball loss: Gneiting, Ranjan 2011.
        """
        assert batch.target is not None
        assert batch.spread is not None
        assert batch.unit is not None
        quantiles = self.decode(output, batch)
        each = pinball(quantiles, batch.target).mean(dim=(1, 2))
        return {
            **self.judge(quantiles[..., MEDIAN], batch),
            "CRPS": 2 * each / batch.unit,
            "loss": each / batch.spread,
        }

    def judge(self, answers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """MASE, sMAPE (%) and CRPS of each item, for one value a step (B H): that all probability is in it."""
        assert batch.target is not None
        assert batch.unit is not None
        error = (answers - batch.target).abs()
        size = (answers.abs() + batch.target.abs()).clamp(min=torch.finfo(error.dtype).tiny)
        scaled = error.mean(dim=1) / batch.unit
        return {"MASE": scaled, "sMAPE": 200 * (error / size).mean(dim=1), "CRPS": scaled}

    def decode(self, output: Tensor, batch: Batch) -> Tensor:
        """Quantiles of each step ahead (B H Q), in the units of the series, in ascending order."""
        assert batch.base is not None
        assert batch.spread is not None
        return (batch.base[..., None] + batch.spread[:, None, None] * output).sort(dim=-1).values


def recent(future: Future) -> int:
    """Steps that are seen one by one."""
    return future.recent or future.lookback


def pinball(quantiles: Tensor, wanted: Tensor) -> Tensor:
    """Pinball loss of each quantile (B H Q) of what came (B H)."""
    levels = torch.tensor(QUANTILES, dtype=quantiles.dtype, device=quantiles.device)
    error = wanted[..., None] - quantiles
    return torch.maximum(levels * error, (levels - 1) * error)
