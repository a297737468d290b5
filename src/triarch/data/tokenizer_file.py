"""Anyone's `tokenizer.json`: read, checked, and its special tokens found."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.data.tokens import END, MASK, end_of

PROBE = "Bytes, wörds and 字 – 1,234\n"


def read_tokenizer(path: Path) -> tuple[Tokenizer, list[str]]:
    """The tokenizer, and notes on it in words.

    The token between documents is `end_of` it. Where there is none, [END] is added after its last token, and [MASK]
    where that is missing: such rows of a pretrained embedding are new. What it would put around every text is left out,
    and so is cutting and filling up.

    Raises:
        InputError: there is no such file, or it cannot be read, or has no tokens.
    """
    try:
        content = path.read_text(encoding="utf-8")
        tokenizer = Tokenizer.from_str(content)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read: {error}", "name a tokenizer.json, or characters, bytes, bpe"
        ) from error
    except Exception as error:  # the library raises nothing narrower
        told = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} is no tokenizer.json: {told}", "the file of the library `tokenizers` is wanted, not a vocabulary"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if not tokenizer.encode(PROBE, add_special_tokens=False).ids:
        raise InputError(f"{path}: it makes no tokens of {PROBE.strip()!r}", "its vocabulary or its model is empty")
    added = [name for name, there in ((END, end_of(tokenizer)), (MASK, tokenizer.token_to_id(MASK))) if there is None]
    tokenizer.add_special_tokens(added)
    end = end_of(tokenizer)
    assert end is not None
    between = tokenizer.id_to_token(end)
    notes = [f"tokenizer: {path}, {tokenizer.get_vocab_size():,} tokens, {between} between documents"]
    notes += [f"{name} is added to it as number {tokenizer.token_to_id(name)}" for name in added]
    return tokenizer, notes
