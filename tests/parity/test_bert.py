"""encoder as BERT equals Transformers' BERT, weight for weight; token type 0 lies in the positions."""

import torch

from exams.specs import inputs, mask, spec
from parity.compare import assert_same, assert_same_gradients, perturb
from triarch.models import registry

LENGTHS = [17, 3, 11, 1, 7]


def test_bert():
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=23, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=17, layer_norm_eps=1e-5, pad_token_id=None,
    )  # fmt: skip
    theirs = BertModel(config, add_pooling_layer=False).eval()
    perturb(theirs)
    encoder, data = registry.find("encoder"), spec("text")
    settings = {"norm_first": False, "embed_norm": True, "dim": 32, "depth": 3, "num_heads": 4, "hidden_dim": 48}
    ours = encoder.backbone(encoder.configure("nano", settings), data).eval()
    weights = translate(dict(theirs.named_parameters()))
    kind = theirs.embeddings.token_type_embeddings.weight
    ours.load_state_dict({**weights, "position.table": weights["position.table"] + kind[0]})
    x, real = inputs(data, len(LENGTHS)), mask(LENGTHS, 17)
    made = ours(x, real)[0].values[real]
    expected = theirs(x, attention_mask=real.long()).last_hidden_state[real]
    assert_same(made, expected)
    made.sin().sum().backward()
    expected.sin().sum().backward()
    assert_same_gradients(ours, theirs, translate)
    assert_same(ours.position.table.grad.sum(dim=0), kind.grad[0])


def translate(theirs):
    """Our queries, keys and values lie in one matrix."""
    ours = {
        "embed.project.weight": theirs["embeddings.word_embeddings.weight"],
        "position.table": theirs["embeddings.position_embeddings.weight"],
        "embed_norm.weight": theirs["embeddings.LayerNorm.weight"],
        "embed_norm.bias": theirs["embeddings.LayerNorm.bias"],
    }
    names = {
        "attention.qkv": [f"attention.self.{part}" for part in ("query", "key", "value")],
        "attention.out": ["attention.output.dense"], "attention_norm": ["attention.output.LayerNorm"],
        "feed.widen": ["intermediate.dense"], "feed.narrow": ["output.dense"], "feed_norm": ["output.LayerNorm"],
    }  # fmt: skip
    for layer in range(3):
        for name, parts in names.items():
            for kind in ("weight", "bias"):
                foreign = [theirs[f"encoder.layer.{layer}.{part}.{kind}"] for part in parts]
                ours[f"blocks.{layer}.{name}.{kind}"] = torch.cat(foreign)
    return ours
