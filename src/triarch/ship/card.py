"""The model card of an artifact."""

from __future__ import annotations

from collections.abc import Sequence

from triarch.core.results import Interval, Metric
from triarch.core.spec import Spec

LONGEST_NAME = 60
ENTITIES = str.maketrans({sign: f"&#{ord(sign)};" for sign in "&<>|`[]\\*_"})


def card(
    model: str, spec: Spec, metric: Metric, score: float, interval: Interval, n: int, split: str, params: int,
    recipe: str,
) -> str:  # fmt: skip
    """Markdown with measured numbers only.

    Args:
        recipe: the training in YAML.
    """
    if spec.target.kind == "future":
        future = spec.future
        does = f"foretell {future.horizon} steps of {_plain(future.channels[0])} ({future.step or 'numbered steps'})"
        called, what = "forecast(frame)", f"| seen | the last {future.lookback} steps of {_listed(future.channels)} |"
    else:
        does = f"tell {spec.num_classes} classes of {spec.modality} apart"
        called, what = "predict(inputs)", f"| classes | {_listed(spec.target.names)} |"
    shape = "x".join(map(str, spec.shape))
    return f"""---
library_name: triarch
---
# {model} on {_plain(spec.name)}

Trained from scratch by triarch to {does}.

| | |
|---|---|
| {metric.name} on {n:,} items of {split} | {score:.4f} (95% interval {interval[0]:.4f} to {interval[1]:.4f}) |
| parameters | {params:,} |
| input | {spec.modality}, {shape} |
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


def _plain(name: str) -> str:
    """A name of the user's on one line, at most 60 characters, with nothing in it that Markdown would act on."""
    line = " ".join(name.split())
    return (line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…").translate(ENTITIES)
