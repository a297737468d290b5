"""The chat template of a folder of Transformers: a file of its own, or a field of tokenizer_config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.core.files import write_text
from triarch.data.template import Template
from triarch.data.tokens import end_of
from triarch.ship.shards import read_json

FILE, TOKENIZER_CONFIG = "chat_template.jinja", "tokenizer_config.json"


def read_template(folder: Path, tokenizer: Tokenizer) -> Template | None:
    """How its model writes dialogues; None where the folder does not say.

    Raises:
        InputError: a file cannot be read.
    """
    config = read_json(folder / TOKENIZER_CONFIG) if (folder / TOKENIZER_CONFIG).is_file() else {}
    jinja = config.get("chat_template")
    if isinstance(jinja, list):  # several, by name
        defaults = (one for one in jinja if isinstance(one, dict) and one.get("name") == "default")
        jinja = next(defaults, {}).get("template")
    try:
        jinja = (folder / FILE).read_text(encoding="utf-8") if (folder / FILE).is_file() else jinja
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{folder / FILE} cannot be read: {error}", "fetch it again") from error
    if not isinstance(jinja, str):
        return None
    begin, end = (_token(config.get(name)) for name in ("bos_token", "eos_token"))
    between = end_of(tokenizer)
    return Template(jinja, begin, end or ("" if between is None else str(tokenizer.id_to_token(between))))


def write_template(folder: Path, template: Template | None) -> None:
    """Write the file, where there is something to be written."""
    if template is not None:
        write_text(folder / FILE, template.jinja)


def tokens_of(template: Template | None) -> dict[str, str]:
    """What begins texts and ends answers, as tokenizer_config.json calls it."""
    tokens = {} if template is None else {"bos_token": template.begin, "eos_token": template.end}
    return {name: token for name, token in tokens.items() if token}


def _token(field: Any) -> str:
    """A token, which may stand there with its properties."""
    token = field.get("content") if isinstance(field, dict) else field
    return token if isinstance(token, str) else ""
