"""What is drawn is distributed as it should be."""

import pytest
import torch
from scipy.stats import chisquare
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from generation.networks import logits_of, network
from triarch.generation.sampling import drawn, probabilities, scores
from triarch.generation.seeds import Uniforms
from triarch.generation.settings import Settings
from triarch.generation.stream import generate


@pytest.mark.parametrize("top_k", [None, 1, 5, 40])
@pytest.mark.parametrize("top_p", [None, 0.1, 0.7, 1.0])
@pytest.mark.parametrize("min_p", [None, 0.02, 0.3])
def test_shaped_as_by_transformers(top_k, top_p, min_p):
    torch.manual_seed(0)
    logits, ids = 3 * torch.randn(7, 40), torch.randint(40, (7, 9))
    seen = torch.zeros(7, 40, dtype=torch.bool).scatter(1, ids, True)
    settings = Settings(temperature=0.7, top_k=top_k, top_p=top_p, min_p=min_p, repetition_penalty=1.4)
    theirs = TemperatureLogitsWarper(0.7)(ids, RepetitionPenaltyLogitsProcessor(1.4)(ids, logits))
    theirs = TopKLogitsWarper(top_k)(ids, theirs) if top_k else theirs
    theirs = TopPLogitsWarper(top_p)(ids, theirs) if top_p else theirs
    theirs = MinPLogitsWarper(min_p)(ids, theirs) if min_p else theirs
    ours = probabilities(scores(logits, settings, seen), settings)
    assert torch.allclose(ours, theirs.softmax(-1), atol=1e-6)


def test_draws_follow_the_probabilities():
    found = torch.tensor([0.5, 0.0, 0.2, 0.05, 0.25, 0.0])
    uniforms = Uniforms(range(20_000)).next()
    counts = drawn(found.expand(20_000, -1), uniforms).bincount(minlength=6)
    assert counts[1] == counts[5] == 0
    assert chisquare(counts[found > 0].numpy(), (20_000 * found[found > 0]).numpy()).pvalue > 0.01


def test_the_ends_of_the_scale_are_possible_tokens():
    found = torch.tensor([[0.0, 0.3, 0.7, 0.0]])
    assert drawn(found, torch.tensor([0.0], dtype=torch.float64)).item() == 1
    assert drawn(found, torch.tensor([1 - 2**-53], dtype=torch.float64)).item() == 2


def test_generated_texts_follow_the_network():
    made, prompt = network("gru", vocab_size=5, spread=2.0), [1, 2, 3]
    texts = generate(made, [prompt] * 4_000, Settings(max_tokens=2), seeds=range(4_000))
    counts = torch.zeros(5, 5)
    for text in texts:
        counts[text.tokens[0], text.tokens[1]] += 1
    first = logits_of(made, prompt)[-1].softmax(-1)
    second = torch.stack([logits_of(made, [*prompt, token])[-1].softmax(-1) for token in range(5)])
    expected = 4_000 * first[:, None] * second
    expected = expected / expected.sum() * 4_000
    assert chisquare(counts.flatten().numpy(), expected.double().flatten().numpy(), sum_check=False).pvalue > 0.01


def test_streams_of_numbers_do_not_depend_on_what_stands_beside():
    together, alone = Uniforms([3, 4, 5]), Uniforms([4])
    numbers = [(float(together.next()[1]), float(alone.next()[0])) for _ in range(600)]
    assert all(one == other for one, other in numbers)
    assert len({one for one, _ in numbers}) == 600
