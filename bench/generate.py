"""How fast text is generated: a Transformer beside `transformers.generate`, and recurrences beside a Transformer.

    python bench/generate.py
    python bench/generate.py --only batch-1 --threads 1

`batch-1` and `batch-16`: GPT-2's small shape with 98M parameters, fp32, the same weights on both sides, the most
probable token always; the tokens are compared first. Sixteen prompts have 8 to 68 tokens, which Transformers pads on
the left. The others: a single step of each network at size small after 128 to 8,192 tokens, and, after 4,096, beside
the decoder of that size; the bytes are those of its state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from sides import RESULTS, Entry, Side, against, compare, load, middle, rounds, show, summary
from triarch.core.machine import computing
from triarch.core.spec import Spec, Target
from triarch.generation.network import Network
from triarch.generation.settings import Settings
from triarch.generation.stream import generate
from triarch.layers.vocabulary import Vocabulary
from triarch.layers.weight_layout import lay_out
from triarch.measure.count import params
from triarch.measure.states import state_bytes
from triarch.models import registry

RESULT = RESULTS / "generate.json"
VOCABULARY, PLACES, TOKENS = 16_000, 1_024, 48
BARS = {"batch-1": 1.15, "batch-16": 1.3}
GPT2 = {
    "dim": 768, "depth": 12, "num_heads": 12, "hidden_dim": 3072,
    "position": "learned", "norm": "layer", "feed": "gelu", "bias": "all", "dropout": 0.0,
}  # fmt: skip
RECURRENT = ("lstm", "mingru", "mamba2", "griffin")
LENGTHS, COMPARED = (128, 1_024, 4_096, 8_192), 4_096


def backbone(name: str, settings: dict[str, object], longest: int, size: str = "small") -> torch.nn.Module:
    """A causal network of the registry."""
    found = registry.find(name)
    data = Spec("made", "text", (longest,), Target("class", ("a",)), vocab_size=VOCABULARY)
    return found.backbone(found.configure(size, {**(found.causal or {}), **settings}), data).eval()


def gpt2(rows: int) -> tuple[Network, GPT2LMHeadModel]:
    """Ours and theirs, with the same weights, ours laid out as `triarch generate` does it for so many texts."""
    torch.manual_seed(0)
    theirs = GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_positions=PLACES, initializer_range=0.05)).eval()
    ours = backbone("decoder", dict(GPT2), PLACES)
    head = Vocabulary(ours.shape.dim, VOCABULARY)
    head.tie(ours.embed)
    ours.load_state_dict(translated(dict(theirs.transformer.named_parameters()), GPT2["depth"]))
    lay_out(torch.nn.ModuleList((ours, head)), rows)
    return Network(ours, head, VOCABULARY, PLACES), theirs


def translated(theirs: dict[str, Tensor], depth: int) -> dict[str, Tensor]:
    """GPT-2's projections are stored transposed."""
    ours = {"embed.project.weight": theirs["wte.weight"], "position.table": theirs["wpe.weight"]}
    names = {
        "attention_norm": "ln_1", "attention.qkv": "attn.c_attn", "attention.out": "attn.c_proj",
        "feed_norm": "ln_2", "feed.widen": "mlp.c_fc", "feed.narrow": "mlp.c_proj",
    }  # fmt: skip
    for layer in range(depth):
        for name, foreign in names.items():
            weight = theirs[f"h.{layer}.{foreign}.weight"]
            ours[f"blocks.{layer}.{name}.weight"] = weight.T.contiguous() if weight.ndim == 2 else weight
            ours[f"blocks.{layer}.{name}.bias"] = theirs[f"h.{layer}.{foreign}.bias"]
    return ours | {"norm.weight": theirs["ln_f.weight"], "norm.bias": theirs["ln_f.bias"]}


def prompts(rows: int) -> list[list[int]]:
    """One of 32 tokens, or of 8, 12, 16 …"""
    lengths = [32] if rows == 1 else [8 + 4 * row for row in range(rows)]
    return [torch.randint(VOCABULARY, (length,)).tolist() for length in lengths]


def writing(network: Network, given: list[list[int]]) -> Callable[[], list[list[int]]]:
    """Ours."""
    settings = Settings(max_tokens=TOKENS, temperature=0)
    return lambda: [text.tokens for text in generate(network, given, settings)]


def their_writing(theirs: GPT2LMHeadModel, given: list[list[int]]) -> Callable[[], list[list[int]]]:
    """Theirs, as it comes; shorter prompts are padded on the left."""
    longest = max(map(len, given))
    ids = torch.tensor([[0] * (longest - len(one)) + one for one in given])
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in given])

    def write() -> list[list[int]]:
        made = theirs.generate(
            ids, attention_mask=mask, max_new_tokens=TOKENS, do_sample=False, eos_token_id=None, pad_token_id=0
        )
        return made[:, longest:].tolist()

    return write


def beside_transformers(rows: int, threads: int, number: int) -> Iterator[Entry]:
    """A whole generation a round, the reading of the prompts included."""
    with computing(threads, seed=0, flush_denormals=True):
        network, theirs = gpt2(rows)
        given = prompts(rows)
        ours, other = writing(network, given), their_writing(theirs, given)
        entry: Entry = {
            "rows": rows, "threads": threads, "params": params(theirs), "tokens": TOKENS * rows,
            "same_tokens": ours() == other(), "rounds": [],
        }  # fmt: skip
        for one in rounds({"ours": ours, "theirs": other}, number, 0):
            entry["rounds"].append(one)
            yield entry | summary(entry["rounds"], threads)


def stepping(name: str, length: int) -> tuple[Side, int, int]:
    """A step after `length` tokens, over and over from the same place; the bytes of the state; the parameters."""
    torch.manual_seed(0)
    made = backbone(name, {"dropout": 0.0}, PLACES)
    head = torch.nn.Linear(made.shape.dim, VOCABULARY, bias=False).requires_grad_(False)
    network, token = Network(made, head, VOCABULARY), torch.tensor([[5]])
    with torch.inference_mode():
        state = network.start(1, length + 1)
        for start in range(0, length, 512):
            _, state = network.last(torch.randint(VOCABULARY, (1, min(512, length - start))), None, state)

    def step() -> None:
        with torch.inference_mode():
            network.last(token, None, state)

    return step, state_bytes(state), params(made)


def recurrent(name: str, threads: int, number: int, seconds: float) -> Iterator[Entry]:
    """A step at each length in turn, and the decoder's after 4,096 tokens."""
    with computing(threads, seed=0, flush_denormals=True):
        steps = {length: stepping(name, length) for length in LENGTHS}
        sides = {str(length): step for length, (step, _, _) in steps.items()}
        sides["theirs"] = stepping("decoder", COMPARED)[0]
        entry: Entry = {
            "threads": threads, "params": steps[COMPARED][2],
            "state_bytes": {str(length): size for length, (_, size, _) in steps.items()}, "rounds": [],
        }  # fmt: skip
        for one in rounds(sides, number, seconds):
            entry["rounds"].append({**one, "ours": one[str(COMPARED)]})
            yield (
                entry
                | summary(entry["rounds"], threads)
                | {
                    "milliseconds": {
                        str(length): 1000 * middle(entry["rounds"], lambda one: one[str(length)]["wall"])  # noqa: B023
                        for length in LENGTHS
                    },
                    "longest_to_shortest": middle(
                        entry["rounds"], lambda one: one[str(LENGTHS[-1])]["wall"] / one[str(LENGTHS[0])]["wall"]
                    ),
                }
            )


def measure(name: str, threads: int, number: int, seconds: float) -> Iterator[Entry]:
    """What is known after each round."""
    if name in BARS:
        return beside_transformers(int(name.removeprefix("batch-")), threads, number)
    return recurrent(name, threads, number, seconds)


def report() -> None:
    """Print what the results say."""
    results = load(RESULT)
    rows = []
    for name, entry in results.items():
        if name not in (*BARS, *RECURRENT, "decoder"):
            continue
        each = entry["tokens"] if name in BARS else 1
        rows.append(
            (
                name, f"{entry['params']:,}", f"{each / entry['ours_seconds']:,.1f}",
                f"{each / entry['theirs_seconds']:,.1f}", against(entry["ratio"], BARS.get(name, 1.0)),
                f"{entry['longest_to_shortest']:.2f}" if "milliseconds" in entry else "–",
                f"{entry['threads_at_work']:.0%}", f"{entry['load']:.1f}",
            )
        )  # fmt: skip
    columns = (
        "generation", "parameters", "ours, tokens/s", "theirs, tokens/s", "ratio", "time of a step, 8,192 : 128",
        "threads at work", "load",
    )  # fmt: skip
    show("Generating; theirs: Transformers, or our decoder after 4,096 tokens", columns, rows)


def main() -> None:
    compare(__doc__, Path(__file__), RESULT, (*BARS, *RECURRENT, "decoder"), 0.5, measure)
    report()


if __name__ == "__main__":
    main()
