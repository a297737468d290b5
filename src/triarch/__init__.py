"""triarch: which neural architecture for my task, my data and my budget?

Every verb of the command line is a function here with the same name, parameters and defaults.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

VERBS = (
    "list", "describe", "inspect",
    "pretrain", "train", "finetune",
    "choose", "scale", "evaluate",
    "predict", "generate", "export", "verify",
)  # fmt: skip

_HOME = {verb: f"triarch.verbs.{verb}" for verb in VERBS} | {
    "load": "triarch.ship.open",
    "build": "triarch.model",
    "open_source": "triarch.data.open",
    "prepare": "triarch.data.dataset",
    "reference": "triarch.core.spec",
    "InputError": "triarch.core.errors",
    "Classifier": "triarch.estimator",
    "Forecaster": "triarch.forecaster",
}

__all__ = ["VERBS", "__version__", *_HOME]

if TYPE_CHECKING:
    from triarch.core.errors import InputError
    from triarch.core.spec import reference
    from triarch.data.dataset import prepare
    from triarch.data.open import open_source
    from triarch.estimator import Classifier
    from triarch.forecaster import Forecaster
    from triarch.model import build
    from triarch.ship.open import load
    from triarch.verbs.choose import choose
    from triarch.verbs.describe import describe
    from triarch.verbs.evaluate import evaluate
    from triarch.verbs.export import export
    from triarch.verbs.finetune import finetune
    from triarch.verbs.generate import generate
    from triarch.verbs.inspect import inspect
    from triarch.verbs.list import list
    from triarch.verbs.predict import predict
    from triarch.verbs.pretrain import pretrain
    from triarch.verbs.scale import scale
    from triarch.verbs.train import train
    from triarch.verbs.verify import verify


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'triarch' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> "list[str]":  # type: ignore[valid-type]
    return sorted(__all__)
