"""The real weights of a BERT, paraphrase-MiniLM-L3-v2, give their published vector here.

`python bench/data.py minilm` fetches them, 66 MB; without them the test is left out.
"""

import os
from pathlib import Path

import pytest
import torch

from triarch.core.types import Batch
from triarch.ship.open import load
from triarch.ship.transformers import read_backbone

FOLDER = Path(os.environ.get("TRIARCH_BENCH_DATA", Path(__file__).parents[2] / "bench" / "data")) / "minilm"
HELLO = [101, 7592, 2088, 102]
PUBLISHED = [-0.09399, 0.15230, 0.31849, 0.06541]


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no weights in {FOLDER}: python bench/data.py minilm")
def test_hello_world():
    """What is published is the mean over the steps, rounded."""
    backbone, spec = read_backbone(FOLDER)
    assert (spec.max_len, spec.vocab_size, len(backbone.blocks)) == (512, 30_522, 3)
    with torch.no_grad():
        alone = backbone(torch.tensor([HELLO]))[0].pooled
        padded = torch.tensor([[*HELLO, 0, 0, 0], list(range(1000, 1007))])
        real = torch.tensor([[True] * 4 + [False] * 3, [True] * 7])
        beside = backbone(padded, real)[0].pooled
    assert alone.shape == (1, 384)
    assert alone[0, :4].tolist() == pytest.approx(PUBLISHED, abs=5.1e-6)
    assert torch.allclose(beside[0], alone[0], atol=1e-5)
    opened = load(FOLDER)
    assert opened.config.task == "features"
    with torch.no_grad():
        assert torch.allclose(opened.model(Batch(torch.tensor([HELLO]))), alone, atol=1e-6)
