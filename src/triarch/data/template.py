"""How a dialogue is written as one text: a Jinja template, which is how Transformers keeps it.

It is run in Jinja's sandbox, which reaches nothing of Python, and without a clock: the same dialogue is the same text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from jinja2 import Template as Compiled
from jinja2 import TemplateError
from jinja2.ext import Extension
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.data.tokens import NAME_AN_END, end_of, special

Message = Mapping[str, str]
Dialogue = Sequence[Message]
SYSTEM, USER, ASSISTANT = ROLES = ("system", "user", "assistant")

MOST_CHARACTERS = 1 << 20

PLAIN = (
    "{{ bos_token }}{% for message in messages %}{{ '### ' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ message['content'] }}{% endif %}{{ '\\n\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### assistant\\n' }}{% endif %}"
)
"""Where a model brings none: a line `### role`, then what is said, and after each answer the token of the end."""


@dataclass(frozen=True)
class Template:
    """A way to write dialogues.

    Attributes:
        jinja: the template; it knows `messages`, each with `role` and `content`, `add_generation_prompt`, `bos_token`
            and `eos_token`.
        begin, end: these two tokens.
    """

    jinja: str
    begin: str = ""
    end: str = ""

    def write(self, dialogue: Dialogue, answer: bool = False) -> str:
        """The text of a dialogue.

        Args:
            answer: with the beginning of an answer after it.

        Raises:
            InputError: the template cannot be read, or refuses the dialogue.
        """
        try:
            return self._compiled.render(
                messages=[dict(message) for message in dialogue], add_generation_prompt=answer, bos_token=self.begin,
                eos_token=self.end, tools=None, documents=None, raise_exception=_refuse,
            )  # fmt: skip
        except Exception as error:  # what goes wrong in a template has no common base
            told = " ".join(str(error).split())[:200]
            raise InputError(
                f"the model's chat template cannot write this: {told}", "give turns that it knows"
            ) from error

    @cached_property
    def _compiled(self) -> Compiled:
        if len(self.jinja) > MOST_CHARACTERS:
            raise TemplateError(f"it has {len(self.jinja):,} characters; {MOST_CHARACTERS:,} are read at most")
        return _Sandbox(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
        ).from_string(self.jinja)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's, where a product does not make a text or a list longer than any template needs."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        sides = [len(side) if isinstance(side, Sized) else abs(side) for side in (left, right)]
        if operator == "**" or sides[0] * sides[1] > MOST_CHARACTERS:
            raise TemplateError(f"it asks for {operator} of what is too large")
        return super().call_binop(context, operator, left, right)


class _Generation(Extension):
    """{% generation %} … {% endgeneration %} marks what is sought, for others; here it stands for what is in it."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _refuse(message: Any) -> NoReturn:
    """What templates call where they do not know what to do."""
    raise TemplateError(str(message))


def plain(tokenizer: Tokenizer) -> Template:
    """`PLAIN`, begun by what begins texts of this tokenizer, a token of its own or that between documents.

    Raises:
        InputError: it has no token that could end an answer.
    """
    end = end_of(tokenizer)
    if end is None:
        raise InputError("the tokenizer has no token that could end an answer", NAME_AN_END)
    first = tokenizer.encode("a").ids[:1]
    begin = first[0] if set(first) & set(special(tokenizer)) else end
    return Template(PLAIN, str(tokenizer.id_to_token(begin)), str(tokenizer.id_to_token(end)))
