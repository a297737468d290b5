"""Verb signatures → command line."""

from __future__ import annotations

import inspect
import io
import json
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer

from triarch import VERBS, __version__
from triarch.core.errors import InputError, Interrupted
from triarch.core.results import Verification, as_json
from triarch.show import show

INPUT_FAULT, OUR_FAULT, INTERRUPTED = 2, 1, 130


def application() -> typer.Typer:
    """A command for each verb."""
    app = typer.Typer(
        help="Which neural architecture for my task, my data and my budget?",
        no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    )  # fmt: skip

    @app.callback(invoke_without_command=True)
    def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
        if version:
            typer.echo(__version__)
            raise typer.Exit

    for name in VERBS:
        app.command(name)(_command(getattr(import_module(f"triarch.verbs.{name}"), name)))
    return app


def main() -> None:
    """Run the command line; exits 0 done, 2 the input is at fault, 1 our fault, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        for argument in sys.argv[1:]:
            if any("\ud800" <= character <= "\udfff" for character in argument):
                raise InputError(f"argument {argument!a} is not UTF-8", "rename the file, or mend its encoding")
        application()()
    except InputError as error:
        _end(INPUT_FAULT, *f"error: {error}".splitlines()[:5])
    except Interrupted as error:
        _end(INTERRUPTED, "interrupted; to go on:" if error.resume else "interrupted", error.resume)
    except BrokenPipeError:
        sys.stderr.close()
    except Exception:
        traceback.print_exc()
        _end(OUR_FAULT, "this is a fault of triarch; please report it with the lines above")


def _end(status: int, *lines: str) -> None:
    for line in lines:
        if line:
            print(line, file=sys.stderr)
    sys.exit(status)


def _command(verb: Callable[..., Any]) -> Callable[..., None]:
    """`verb` as typer wants it: each parameter an argument or an option with its line of the docstring.

    Where the verb's module has a `stream` too, its text is printed as it comes.
    """
    signature = inspect.signature(verb, eval_str=True)
    text, helps = _docstring(verb)
    stream: Callable[..., Iterator[str]] | None = getattr(sys.modules[verb.__module__], "stream", None)

    def command(**values: Any) -> None:
        as_lines = values.pop("json_output")
        given = {name: value for name, value in values.items() if value is not None}
        try:
            if stream is not None and not as_lines:
                for piece in stream(**given):
                    print(piece, end="", flush=True)
                return
            result = verb(**given)
        except KeyboardInterrupt:
            raise Interrupted from None
        if as_lines:
            plain = not (sys.stdout.encoding or "").lower().startswith("utf")
            print(json.dumps(as_json(result), ensure_ascii=plain, allow_nan=False))
        else:
            show(result)
        if isinstance(result, Verification) and not result.ok:
            raise InputError(result.fault)

    parameters = [_parameter(parameter, helps.get(name, "")) for name, parameter in signature.parameters.items()]
    flag = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
    parameters.append(inspect.Parameter("json_output", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=flag))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__doc__ = text
    return command


def _parameter(parameter: inspect.Parameter, text: str) -> inspect.Parameter:
    kind = _plain(parameter.annotation)
    positional = parameter.kind is not inspect.Parameter.KEYWORD_ONLY and parameter.name in POSITIONAL
    option = f"--{parameter.name.rstrip('_').replace('_', '-')}"  # --from is from_: a word of Python's own
    shape = typer.Argument(help=text, show_default=False) if positional else typer.Option(option, help=text)
    default = parameter.default
    if default is inspect.Parameter.empty:
        default = ...
    elif get_origin(kind) is list or default is None:
        default, kind = None, kind | None
    return parameter.replace(
        kind=inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, shape],
        default=inspect.Parameter.empty if default is ... else default,
    )  # fmt: skip


POSITIONAL = ("data", "model", "artifact", "inputs")


def _plain(annotation: Any) -> Any:
    """What a value looks like on the command line: str, int, float, bool, Path, or a list of texts."""
    if annotation is Any:
        return str
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    if any(get_origin(part) is Sequence for part in parts):
        return list[str]
    if Path in parts:
        return Path
    if str in parts:
        return str
    (kind,) = (part for part in parts if part is not NoneType)
    return kind


def _docstring(verb: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    text, _, arguments = inspect.getdoc(verb).partition("\nArgs:\n")  # type: ignore[union-attr]
    helps = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", arguments, flags=re.MULTILINE))
    return text, {name: " ".join(line.split()) for name, line in helps.items()}
