"""Beams against all there is."""

from itertools import product

import pytest
import torch

from generation.networks import CAUSAL, logits_of, network, prompts
from triarch.generation.beams import _placed
from triarch.generation.settings import Settings
from triarch.generation.stream import generate

SIZE, LENGTH, END = 4, 4, 3


def worth(made, prompt, tokens, power):
    known = logits_of(made, prompt + tokens).log_softmax(-1)
    total = sum(float(known[len(prompt) - 1 + place, token]) for place, token in enumerate(tokens))
    return total / len(tokens) ** power


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0, -1.0])
@pytest.mark.parametrize("name", ["decoder", "lstm"])
def test_enough_beams_find_the_best_of_all_texts(name, power):
    for seed in range(3):
        made, given = network(name, SIZE, seed=seed, spread=1.5), prompts([2, 5, 1], SIZE)
        settings = Settings(max_tokens=LENGTH, beams=64, length_penalty=power, end=(END,))
        for prompt, text in zip(given, generate(made, given, settings)):
            texts = [list(one) for one in product(range(SIZE - 1), repeat=LENGTH)]
            for length in range(LENGTH):
                texts += [[*one, END] for one in product(range(SIZE - 1), repeat=length)]
            best = max(texts, key=lambda one: worth(made, prompt, one, power))
            found = [*text.tokens, END] if text.reason == "end" else text.tokens
            assert found == best


def test_few_beams_are_as_transformers():
    from transformers import GPT2Config, GPT2LMHeadModel

    from triarch.core.spec import Spec, Target
    from triarch.generation.network import Network
    from triarch.models import registry

    torch.manual_seed(0)
    size = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 48}
    theirs = GPT2LMHeadModel(GPT2Config(vocab_size=23, n_positions=40, initializer_range=0.4, **size)).eval()
    decoder = registry.find("decoder")
    settings = {"dim": 32, "depth": 2, "num_heads": 4, "hidden_dim": 48, "position": "learned", "norm": "layer"}
    data = Spec("made", "text", (40,), Target("class", ("a",)), vocab_size=23)
    ours = decoder.backbone(decoder.configure("nano", {**settings, "feed": "gelu", "bias": "all"}), data).eval()
    ours.load_state_dict(from_gpt2(dict(theirs.transformer.named_parameters()), 2))
    made = Network(ours, lambda x: x @ theirs.lm_head.weight.detach().T, 23)
    prompt = [5, 1, 7, 7, 2]
    for beams in (1, 2, 5):
        expected = theirs.generate(
            torch.tensor([prompt]), num_beams=beams, do_sample=False, max_new_tokens=12, pad_token_id=0,
            eos_token_id=None, bos_token_id=None,
        )  # fmt: skip
        how = Settings(max_tokens=12, beams=beams, temperature=1 if beams > 1 else 0)
        assert generate(made, [prompt], how)[0].tokens == expected[0, 5:].tolist()


def from_gpt2(theirs, depth):
    ours = {"embed.project.weight": theirs["wte.weight"], "position.table": theirs["wpe.weight"]}
    names = {
        "attention_norm": "ln_1", "attention.qkv": "attn.c_attn", "attention.out": "attn.c_proj",
        "feed_norm": "ln_2", "feed.widen": "mlp.c_fc", "feed.narrow": "mlp.c_proj",
    }  # fmt: skip
    for layer in range(depth):
        for name, foreign in names.items():
            weight = theirs[f"h.{layer}.{foreign}.weight"]
            ours[f"blocks.{layer}.{name}.weight"] = weight.T if weight.ndim == 2 else weight
            ours[f"blocks.{layer}.{name}.bias"] = theirs[f"h.{layer}.{foreign}.bias"]
    return ours | {"norm.weight": theirs["ln_f.weight"], "norm.bias": theirs["ln_f.bias"]}


def test_a_prompt_is_searched_as_if_alone():
    made, given = network("griffin"), prompts([3, 6, 1, 4])
    settings = Settings(max_tokens=8, beams=4, end=(2,), repetition_penalty=1.2, logprobs=True)
    together = generate(made, given, settings)
    for prompt, text in zip(given, together):
        alone = generate(made, [prompt], settings)[0]
        assert alone.tokens == text.tokens
        assert alone.logprobs == pytest.approx(text.logprobs, abs=1e-4)


@pytest.mark.parametrize("name", CAUSAL)
def test_each_beam_goes_on_from_its_own_state(name):
    """What the best text is said to cost, it costs in one pass: no beam took over the state of another."""
    made, given = network(name, spread=2.0), prompts([2, 5])
    settings = Settings(max_tokens=9, beams=3, end=(2,), logprobs=True)
    for prompt, text in zip(given, generate(made, given, settings)):
        tokens = [*text.tokens, 2] if text.reason == "end" else text.tokens
        known = logits_of(made, prompt + tokens).log_softmax(-1)
        costs = [float(known[len(prompt) - 1 + place, token]) for place, token in enumerate(tokens)]
        assert text.logprobs == pytest.approx(costs, abs=1e-4)


@pytest.mark.parametrize(
    ("parents", "order"), [([0, 1, 2], [0, 1, 2]), ([2, 0, 0], [1, 2, 0]), ([1, 1, 1], [1, 0, 2]), ([0, 0], [0, 1])]
)
def test_beams_stay_where_their_parents_were(parents, order):
    assert _placed(parents) == order
    placed = [parents[number] for number in order]
    moved = {place for place, parent in enumerate(placed) if parent != place}
    assert not moved & set(parents)  # what is copied from is not written over
