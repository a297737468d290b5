"""Small networks to generate from, and the plainest way to do it."""

import torch

from triarch.core.spec import Spec, Target
from triarch.generation.network import Network
from triarch.models import registry

CAUSAL = [name for name in registry.names() if registry.find(name).causal is not None]


def network(name="decoder", vocab_size=11, seed=0, spread=3.0, settings=None, longest=64):
    """A backbone with a linear head, weights drawn; `spread` says how sure it is of its next token."""
    torch.manual_seed(seed)
    found = registry.find(name)
    data = Spec("made", "text", (longest,), Target("class", ("a",)), vocab_size=vocab_size, ragged=True)
    backbone = found.backbone(found.configure("nano", {**found.causal, **(settings or {})}), data).eval()
    head = torch.nn.Linear(backbone.shape.dim, vocab_size)
    torch.nn.init.normal_(head.weight, std=spread * backbone.shape.dim**-0.5)
    return Network(backbone, head.requires_grad_(False), vocab_size)


@torch.no_grad()
def logits_of(made, ids):
    """(T V) of a whole text, without any state."""
    return made.head(made.backbone(torch.tensor([ids]))[0].values)[0]


def greedily(made, prompt, count):
    """The whole text through the network for every token."""
    ids = list(prompt)
    for _ in range(count):
        ids.append(int(logits_of(made, ids)[-1].argmax()))
    return ids[len(prompt) :]


def prompts(lengths, vocab_size=11, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(vocab_size, (length,), generator=generator).tolist() for length in lengths]
