"""The model card of an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triarch.core.budget import LIMITS, Costs, number
from triarch.core.results import Interval, Metric
from triarch.core.spec import Spec

LONGEST_NAME = 60
ENTITIES = str.maketrans({sign: f"&#{ord(sign)};" for sign in "&<>|`[]\\*_"})


def card(
    model: str, spec: Spec, metric: Metric, score: float, interval: Interval, n: int, split: str, params: int,
    recipe: str, costs: Costs | None = None, limits: Mapping[str, float] | None = None, origin: str | None = None,
) -> str:  # fmt: skip
    """Markdown with measured numbers only.

    Args:
        recipe: the training in YAML.
        costs: what was measured besides, where anything was.
        limits: of the budget: name → limit.
        origin: the model that it was fine-tuned from, where it was.
    """
    if spec.target.kind == "future":
        future = spec.future
        does = f"foretell {future.horizon} steps of {_plain(future.channels[0])} ({future.step or 'numbered steps'})"
        called, what = "forecast(frame)", f"| seen | the last {future.lookback} steps of {_listed(future.channels)} |"
    elif spec.target.kind == "token":
        does = "model language: to tell the tokens of a text from those around them"
        called, what = "logits(token_ids)", f"| vocabulary | {spec.vocab_size:,} tokens |"
    elif spec.target.kind == "text":
        does = "write what a text becomes: its translation, its sounds"
        called, what = (
            "predict(texts)",
            f"| vocabulary | {spec.vocab_size:,} tokens read, {spec.target.vocab_size:,} written |",
        )
    else:
        does = f"tell {spec.num_classes} classes of {spec.modality} apart"
        called, what = "predict(inputs)", f"| classes | {_listed(spec.target.names)} |"
    shape = "x".join(map(str, spec.shape))
    return f"""---
library_name: triarch
---
# {model} on {_plain(spec.name)}

{f"Fine-tuned from {_plain(origin)}" if origin else "Trained from scratch"} by triarch to {does}.

| | |
|---|---|
| {metric.name} on {n:,} items of {split} | {score:.4f} (95% interval {interval[0]:.4f} to {interval[1]:.4f}) |
{_costs(costs or Costs(params), limits or {})}| input | {spec.modality}, {shape} |
| data | {spec.items:,} items, fingerprint {spec.fingerprint} |
| split | {spec.split} |
{what}

## Use

```python
import triarch

model = triarch.load("THIS_FOLDER")
model.{called}
```

`triarch verify THIS_FOLDER` replays the answers that it was saved with.

## Training

```yaml
{recipe.strip()}
```
"""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_plain, names[:40])) + (" …" if len(names) > 40 else "")


def _costs(costs: Costs, limits: Mapping[str, float]) -> str:
    """A row for each figure, beside its limit."""
    rows = []
    for name, unit in LIMITS.items():
        figure, limit = costs.of(name), limits.get(name)
        if figure is not None or limit is not None:
            measured = number(name, figure) if figure is not None else "not measurable"
            rows.append(f"| {unit} | {measured}{f', limit {number(name, limit)}' if limit is not None else ''} |\n")
    return "".join(rows)


def _plain(name: str) -> str:
    """A name of the user's on one line, at most 60 characters, with nothing in it that Markdown would act on."""
    line = " ".join(name.split())
    return (line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…").translate(ENTITIES)
