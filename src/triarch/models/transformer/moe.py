"""The decoder with sparse experts: many feed-forward parts, of which each step goes through two.

x ← x + attention(norm(x)), x ← x + Σₑ wₑ expertₑ(norm(x)), the sum over the `top_k` experts that a router scores
highest, as in Mixtral (Jiang et al. 2024, arXiv 2401.04088). It has the weights of a large network and the computing
of a small one: it is meant for much data, where computing is dear and memory is not. What balances the experts is in
`layers/experts.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from triarch.layers.experts import Experts
from triarch.models.registry import Architecture
from triarch.models.transformer import decoder
from triarch.models.transformer.decoder import Decoder


@dataclass(frozen=True)
class Config(decoder.Config):
    """Settings of `moe`: those of `decoder`, where hidden_dim is the width inside one expert and feed is swiglu.

    Each step goes through top_k of num_experts; balance weighs what keeps all of them in use, see `layers/experts.py`.
    """

    hidden_dim: int = 32
    num_experts: int = 4
    top_k: int = 2
    balance: float = 0.01

    def feed_forward(self) -> nn.Module:
        """The experts.

        Raises:
            ValueError: feed is another than swiglu.
        """
        if self.feed != "swiglu":
            raise ValueError(f"experts are swiglu, not {self.feed}")
        return Experts(self.dim, self.hidden_dim, self.num_experts, self.top_k, self.balance)


class MixtureOfExperts(Decoder):
    """A decoder whose blocks have experts."""


ARCHITECTURE = Architecture(
    family="transformer",
    config=Config,
    backbone=MixtureOfExperts,
    sizes={
        "nano": {},
        "micro": {"dim": 64, "depth": 3, "num_heads": 4, "hidden_dim": 56},
        "tiny": {"dim": 192, "depth": 4, "num_heads": 6, "hidden_dim": 192, "num_experts": 8},
        "small": {"dim": 256, "depth": 8, "num_heads": 4, "hidden_dim": 352, "num_experts": 8},
        "base": {"dim": 512, "depth": 8, "num_heads": 8, "hidden_dim": 768, "num_experts": 8},
        "large": {"dim": 768, "depth": 12, "num_heads": 12, "hidden_dim": 1152, "num_experts": 8},
    },
    learning_rates=(5e-4, 8e-3),
    causal={},
)
