"""encoder as BERT equals Transformers' BERT, weight for weight."""

import torch

from exams.specs import inputs, mask, spec
from parity.compare import assert_same, assert_same_gradients, perturb
from parity.layouts import translation
from triarch.models import registry
from triarch.ship.layouts import bert

LENGTHS = [17, 3, 11, 1, 7]


def test_bert():
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=23, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=17, pad_token_id=None,
    )  # fmt: skip
    theirs = BertModel(config, add_pooling_layer=False).eval()
    perturb(theirs)
    encoder, data = registry.find("encoder"), spec("text")
    settings = {"dim": 32, "depth": 3, "num_heads": 4, "hidden_dim": 48}
    made_so = {"norm_first": False, "embed_norm": True, "kinds": 2, "eps": 1e-12}
    config = encoder.configure("nano", {**settings, **made_so})
    ours = encoder.backbone(config, data).eval()
    translate = translation(bert.LAYOUT, ours, config, data)
    ours.load_state_dict(translate(dict(theirs.named_parameters())))
    x, real = inputs(data, len(LENGTHS)), mask(LENGTHS, 17)
    made = ours(x, real)[0].values[real]
    expected = theirs(x, attention_mask=real.long()).last_hidden_state[real]
    assert_same(made, expected)
    made.sin().sum().backward()
    expected.sin().sum().backward()
    assert_same_gradients(ours, theirs, translate)
