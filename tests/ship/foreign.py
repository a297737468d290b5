"""Small models of Transformers with random weights, one of each layout."""

import torch

LIKE = {"vocab_size": 29, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64, "rope_theta": 500_000.0,
}  # fmt: skip
GEMMA = {**LIKE, "num_key_value_heads": 1, "pad_token_id": None}
MAMBA = {
    "vocab_size": 29, "hidden_size": 32, "num_hidden_layers": 3, "num_heads": 4, "head_dim": 16, "state_size": 8,
    "n_groups": 2, "chunk_size": 8,
}  # fmt: skip
CASES = {
    "GPT-2": ("GPT2", {"vocab_size": 29, "n_positions": 80, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_inner": 48}),
    "GPT-2 with logits of its own": ("GPT2", {"vocab_size": 29, "n_positions": 80, "n_embd": 32, "n_layer": 2,
                                              "n_head": 4, "tie_word_embeddings": False, "layer_norm_epsilon": 1e-3}),
    "Llama": ("Llama", {**LIKE, "num_key_value_heads": 2, "max_position_embeddings": 80, "rms_norm_eps": 1e-4}),
    "Llama 3": ("Llama", {**LIKE, "rope_parameters": LLAMA3, "tie_word_embeddings": True, "head_dim": 12}),
    "Llama, biased and stretched": ("Llama", {**LIKE, "attention_bias": True, "mlp_bias": True, "rope_parameters":
                                              {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}}),
    "Qwen2": ("Qwen2", {**LIKE, "num_key_value_heads": 1, "rope_theta": 1_000_000.0, "max_position_embeddings": 80}),
    "Qwen2 with a window": ("Qwen2", {**LIKE, "num_key_value_heads": 2, "use_sliding_window": True, "sliding_window": 5,
                                      "max_window_layers": 0}),
    "Mistral": ("Mistral", {**LIKE, "num_key_value_heads": 2, "sliding_window": 7, "head_dim": 10}),
    "BERT": ("Bert", {**LIKE, "max_position_embeddings": 80}),
    "Mamba-2": ("Mamba2", MAMBA),
    "Mamba-2, tied and limited": ("Mamba2", {**MAMBA, "tie_word_embeddings": True, "time_step_limit": [0.01, 0.5]}),
    "RecurrentGemma": ("RecurrentGemma", {**GEMMA, "attention_window_size": 5, "logits_soft_cap": 3.0}),
}  # fmt: skip


def make(case):
    """A model whose every parameter matters: none is left at 0 or 1."""
    import transformers

    name, fields = CASES[case]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**fields)
    kind = "ForMaskedLM" if name == "Bert" else "LMHeadModel" if name == "GPT2" else "ForCausalLM"
    model = getattr(transformers, name + kind)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            std = 0.3 if parameter.ndim == 1 else parameter[0].numel() ** -0.5
            parameter.add_(torch.randn_like(parameter), alpha=std)
    return model


def save(case, folder, shard="5GB"):
    """The folder that `save_pretrained` writes, and the model."""
    model = make(case)
    model.save_pretrained(folder, max_shard_size=shard)
    return model
