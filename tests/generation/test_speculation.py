"""A draft changes nothing but the time."""

import pytest
import torch
from scipy.stats import chi2_contingency, chisquare

from generation.networks import CAUSAL, greedily, logits_of, network, prompts
from triarch.generation.settings import Settings
from triarch.generation.speculation import Speculation
from triarch.generation.stream import generate


@pytest.mark.parametrize("name", CAUSAL)
def test_greedy_is_exactly_the_same(name):
    made, given = network(name), prompts([5, 1, 9])
    plain = generate(made, given, Settings(max_tokens=15, temperature=0, end=(4,)))
    for draft in (network("gru", seed=9), network("decoder", seed=8), made):
        settings = Settings(max_tokens=15, temperature=0, end=(4,))
        assert generate(made, given, settings, draft=draft) == plain


@pytest.mark.parametrize("settings", [{"window": 3}, {"window": 6}, {"position": "learned"}], ids=str)
def test_greedy_with_windows_and_learned_places(settings):
    made, given = network(settings=settings, longest=24), prompts([5, 9])
    texts = generate(made, given, Settings(max_tokens=15, temperature=0), draft=network(seed=8, longest=24))
    assert [text.tokens for text in texts] == [greedily(made, one, 15) for one in given]


@pytest.mark.parametrize("name", ["decoder", "gru"])
@pytest.mark.parametrize("shaped", [{}, {"temperature": 0.7, "top_k": 3, "repetition_penalty": 1.5}], ids=str)
def test_the_distribution_is_exactly_the_same(name, shaped):
    made, draft = network(name, vocab_size=4, spread=1.5), network("lstm", vocab_size=4, seed=5, spread=1.5)
    prompt, many = [1, 2], 4_000
    settings = Settings(max_tokens=4, **shaped)
    tables = torch.zeros(2, 256)
    for side, by in enumerate((None, draft)):
        seeds = range(side * many, (side + 1) * many)
        for text in generate(made, [prompt] * many, settings, seeds=seeds, draft=by):
            number = sum(token * 4**place for place, token in enumerate(text.tokens))
            tables[side, number] += 1
    common = tables.sum(dim=0) >= 20
    counts = torch.cat((tables[:, common], tables[:, ~common].sum(dim=1, keepdim=True)), dim=1)
    counts = counts[:, counts.sum(dim=0) > 0]
    assert counts.shape[1] > 8
    assert chi2_contingency(counts.numpy()).pvalue > 0.01
    if not shaped:  # and both are the network's own: its third token, whatever stands before it
        expected = torch.zeros(4)
        first = logits_of(made, prompt)[-1].softmax(-1)
        for one in range(4):
            second = logits_of(made, [*prompt, one])[-1].softmax(-1)
            for two in range(4):
                expected += first[one] * second[two] * logits_of(made, [*prompt, one, two])[-1].softmax(-1)
        third = tables[1].view(4, 4, 4, 4).sum(dim=(0, 2, 3))
        assert chisquare(third.numpy(), (many * expected).double().numpy(), sum_check=False).pvalue > 0.01


def test_a_draft_that_is_the_network_is_always_right():
    made, given = network("gru"), prompts([4])
    speculation = Speculation(made, made, given, Settings(max_tokens=21), [3])
    sizes = [len(speculation.step()[0].tokens) for _ in range(5)]
    assert sizes == [1, 5, 5, 5, 5]


@pytest.mark.parametrize("name", ["decoder", "mingru"])
def test_a_text_depends_on_its_seed_alone(name):
    made, draft, given = network(name), network("gru", seed=9), prompts([4, 7, 2])
    settings = Settings(max_tokens=20, end=(3,), logprobs=True)
    together = generate(made, given, settings, seeds=[5, 6, 7], draft=draft)
    for prompt, seed, text in zip(given, [5, 6, 7], together):
        alone = generate(made, [prompt], settings, seeds=[seed], draft=draft)[0]
        assert alone.tokens == text.tokens
        known = logits_of(made, prompt + text.tokens).log_softmax(-1)
        expected = [float(known[len(prompt) - 1 + place, token]) for place, token in enumerate(text.tokens)]
        assert text.logprobs[: len(expected)] == pytest.approx(expected, abs=1e-4)
