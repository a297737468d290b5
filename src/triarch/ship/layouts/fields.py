"""The fields of somebody else's config.json, each of which is read, known to be harmless, or refused."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from triarch.core.errors import InputError

# None of these changes what a model answers.
HARMLESS = frozenset({
    "_name_or_path", "_attn_implementation", "_attn_implementation_autoset", "attn_implementation",
    "transformers_version", "dtype", "torch_dtype", "use_bfloat16", "torchscript", "tf_legacy_loss", "use_cache",
    "return_dict", "output_attentions", "output_hidden_states", "gradient_checkpointing", "chunk_size_feed_forward",
    "initializer_range", "initializer_factor", "pretraining_tp", "bos_token_id", "eos_token_id", "pad_token_id",
    "sep_token_id", "cls_token_id", "decoder_start_token_id", "tokenizer_class", "prefix", "finetuning_task",
    "task_specific_params", "id2label", "label2id", "num_labels", "problem_type", "use_return_dict", "max_length",
    "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature",
    "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores",
    "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
    "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
})  # fmt: skip
# These do, and mean nothing as they stand here.
NEUTRAL: Mapping[str, Any] = {
    "is_encoder_decoder": False, "is_decoder": False, "add_cross_attention": False, "tie_encoder_decoder": False,
    "cross_attention_hidden_size": None, "pruned_heads": {}, "sep_token": None, "quantization_config": None,
}  # fmt: skip
MOST = 1 << 31


class Fields:
    """Fields that are taken one by one.

    Args:
        values: the fields.
        where: the file, for errors.
    """

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values, self.where = values, where
        self._taken: set[str] = set()

    def raw(self, name: str, default: Any = None) -> Any:
        """The field as it stands; `default` where it is missing."""
        self._taken.add(name)
        return self.values.get(name, default)

    def count(self, name: str, default: int | None = None) -> int:
        """A whole number from 1 on; a default holds where the field is missing or null.

        Raises:
            InputError: it is something else, or missing without a default.
        """
        value = self.raw(name)
        value = default if value is None else value
        if type(value) is not int or not 0 < value < MOST:
            raise self.fault(name, "a whole number from 1 on is wanted")
        return value

    def heads(self, name: str, default: int, dim: int) -> int:
        """A count of heads that share a width of `dim`.

        Raises:
            InputError: it does not divide it.
        """
        value = self.count(name, default)
        if dim % value:
            raise self.fault(name, f"it has to divide the width of the model, {dim}; fetch the file again")
        return value

    def word(self, name: str, default: str | None = None) -> str | None:
        """A text; the default where the field is missing or null.

        Raises:
            InputError: it is something else.
        """
        value = self.raw(name)
        value = default if value is None else value
        if value is not None and not isinstance(value, str):
            raise self.fault(name, "a text is wanted")
        return value

    def number(self, name: str, default: float) -> float:
        """A finite number above 0; the default where the field is missing or null.

        Raises:
            InputError: it is something else.
        """
        value = self.raw(name)
        value = default if value is None else value
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise self.fault(name, "a number above 0 is wanted")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false; the default where the field is missing or null.

        Raises:
            InputError: it is something else.
        """
        value = self.raw(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise self.fault(name, "true or false is wanted")
        return value

    def only(self, name: str, *allowed: Any) -> None:
        """Check that the field, where it is there, has a value that triarch computes with.

        Raises:
            InputError: it has another.
        """
        value = self.raw(name, allowed[0])
        if not any(type(value) is type(one) and value == one for one in allowed):
            told = " or ".join(_written(one) for one in allowed)
            raise self.fault(name, f"triarch computes with {told} only; use a model that does, or Transformers itself")

    def finish(self, harmless: Iterable[str] = ()) -> None:
        """Check that no field is left.

        Args:
            harmless: fields of this layout that do not change what a model answers, beside those of all.

        Raises:
            InputError: one is left.
        """
        for name in NEUTRAL.keys() - self._taken:
            self.only(name, NEUTRAL[name])
        left = sorted(set(self.values) - self._taken - HARMLESS - set(harmless))
        if left:
            raise self.fault(left[0], "triarch does not know it; take the field out if it changes no answer")

    def fault(self, name: str, remedy: str) -> InputError:
        """That a field is wrong: where, which, its value and the remedy."""
        if name not in self.values:
            return InputError(f"{self.where}: there is no field {name!r}", remedy)
        return InputError(f"{self.where}: field {name!r} is {_written(self.values[name])}", remedy)


def _written(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
