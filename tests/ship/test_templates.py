"""Where folders of Transformers keep their chat templates."""

import json

import pytest

from triarch.core.errors import InputError
from triarch.data.template import Template
from triarch.data.tokens import fit_tokenizer, marked
from triarch.ship.templates import read_template, tokens_of, write_template

TOKENIZER = marked(fit_tokenizer("bytes", ["a"]))
NAMED = [{"name": "tool_use", "template": "TOOL"}, {"name": "default", "template": "CHAT"}]
PLACES = [
    ({"chat_template": "CHAT", "bos_token": "<s>", "eos_token": "</s>"}, "", Template("CHAT", "<s>", "</s>")),
    ({"chat_template": "CHAT", "eos_token": {"content": "</s>"}}, "", Template("CHAT", "", "</s>")),
    ({"chat_template": NAMED, "bos_token": None}, "", Template("CHAT", "", "[END]")),
    ({"chat_template": "OLD", "eos_token": "</s>"}, "CHAT", Template("CHAT", "", "</s>")),
    (None, "CHAT", Template("CHAT", "", "[END]")),
    ({"eos_token": "</s>"}, "", None),
    ({"chat_template": NAMED[:1]}, "", None),
    ({"chat_template": [{"name": ["default"], "template": "CHAT"}]}, "", None),
    (None, "", None),
]


@pytest.mark.parametrize(("config", "file", "expected"), PLACES, ids=range(len(PLACES)))
def test_where_it_lies(config, file, expected, tmp_path):
    if config is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    if file:
        (tmp_path / "chat_template.jinja").write_text(file)
    assert read_template(tmp_path, TOKENIZER) == expected
    write_template(tmp_path / "new", expected)
    again = tmp_path / "new"
    again.mkdir(exist_ok=True)
    (again / "tokenizer_config.json").write_text(json.dumps(tokens_of(expected)))
    assert read_template(again, TOKENIZER) == expected


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(InputError, match="cannot be read"):
        read_template(tmp_path, TOKENIZER)
