"""`triarch generate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triarch.core.results import Writing

if TYPE_CHECKING:
    from triarch.data.template import Dialogue
    from triarch.generation.settings import Settings
    from triarch.generation.stream import Event
    from triarch.ship.writer import Writer

    Asked = tuple[str | Dialogue, int]

AT_ONCE = 32
MOST_PROMPTS = 100_000
MESSAGES = '{"messages": [{"role": "user", "content": "text"}]}'


def generate(
    artifact: str | Path, *, prompt: str | None = None, prompts: Path | None = None, max_tokens: int = 128,
    temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None,
    repetition_penalty: float = 1.0, beams: int = 1, length_penalty: float = 1.0, stop: Sequence[str] = (),
    seed: int = 0, draft: str | None = None, chat: bool = False, logprobs: bool = False, threads: int | None = None,
) -> Writing:  # fmt: skip
    """Go on with a text, or write what it becomes where the model translates.

    Args:
        artifact: folder of a causal language model, or of one that translates.
        prompt: the text to go on with, or to translate; empty: a new one is begun.
        prompts: a file of prompts instead: a line each; or .jsonl, a line each with a string, or with an object that
            has `prompt`, or with --chat `messages`, and may have `seed`.
        max_tokens: make at most so many tokens.
        temperature: below 1 draws are surer, above wilder; 0 takes the most probable token always.
        top_k: draw from so many of the most probable tokens only.
        top_p: draw from the most probable tokens that together reach this probability only.
        min_p: draw only from tokens at least this part as probable as the most probable one.
        repetition_penalty: above 1, tokens that are there already become less probable.
        beams: search for the most probable text with so many beginnings side by side, in place of drawing.
        length_penalty: with beams; above 0 favours longer texts.
        stop: end the text before this string; may be given several times.
        seed: of what is drawn for each text that has none of its own in a .jsonl; a text never depends on the others of
            a file.
        draft: a smaller artifact with the same tokenizer (`pretrain --tokenizer ARTIFACT/tokenizer.json`) that runs
            ahead; the texts are distributed as without it.
        chat: the prompt is what a user says: it goes into the artifact's own template, and the answer comes; for what
            was fine-tuned on instructions or messages, here or elsewhere.
        logprobs: tell the log-probability of each token, with --json.
        threads: threads inside an operation; all cores if not given.
    """
    from time import perf_counter

    from triarch.core.results import Written

    asked = _asked(prompt, prompts, seed, chat)
    shaped = _settings(
        max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, beams, length_penalty, stop, logprobs
    )
    writers = _writers(artifact, draft, chat, asked, max_tokens)
    made: list[Written] = []
    for start in range(0, len(asked), AT_ONCE):
        batch = asked[start : start + AT_ONCE]
        texts = ["" for _ in batch]
        ids: list[list[int]] = [[] for _ in batch]
        told: list[list[float]] = [[] for _ in batch]
        seconds, reasons, began = [0.0] * len(batch), [""] * len(batch), perf_counter()
        for event in _events(writers, batch, shaped, threads):
            texts[event.text] += event.piece
            ids[event.text] += [] if event.token is None else [event.token]
            told[event.text] += [] if event.logprob is None else [event.logprob]
            reasons[event.text], seconds[event.text] = event.reason, perf_counter() - began
        made += [
            Written(text, len(tokens), len(tokens) / max(time, 1e-9), reason, one, tokens, known if logprobs else None)
            for one, text, tokens, time, reason, known in zip(_said(batch), texts, ids, seconds, reasons, told)
        ]
    return Writing(str(artifact), made, alone=prompts is None)


def stream(
    artifact: str | Path, *, prompt: str | None = None, prompts: Path | None = None, max_tokens: int = 128,
    temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None,
    repetition_penalty: float = 1.0, beams: int = 1, length_penalty: float = 1.0, stop: Sequence[str] = (),
    seed: int = 0, draft: str | None = None, chat: bool = False, logprobs: bool = False, threads: int | None = None,
) -> Iterator[str]:  # fmt: skip
    """The text of `generate` as it comes; of several prompts one after the other, each after a line with its number."""
    asked = _asked(prompt, prompts, seed, chat)
    shaped = _settings(
        max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, beams, length_penalty, stop, logprobs
    )
    writers = _writers(artifact, draft, chat, asked, max_tokens)
    for start in range(0, len(asked), AT_ONCE):
        batch = asked[start : start + AT_ONCE]
        waiting, done, turn = ["" for _ in batch], [False for _ in batch], 0
        for event in _events(writers, batch, shaped, threads):
            waiting[event.text] += event.piece
            done[event.text] = bool(event.reason)
            while turn < len(batch) and (waiting[turn] or done[turn]):
                if waiting[turn]:
                    yield waiting[turn]
                    waiting[turn] = ""
                if not done[turn]:
                    break
                turn += 1
                yield "\n" if prompts is None else f"\n--- {start + turn} of {len(asked)}\n"


def _writers(
    artifact: str | Path, draft: str | None, chat: bool, asked: list[Asked], max_tokens: int
) -> tuple[Writer, Writer | None]:
    """The model, and the one that runs ahead; both can go on with all that is asked."""
    from triarch.core.errors import InputError
    from triarch.data.tokens import same
    from triarch.ship.open import load
    from triarch.ship.writer import Writer

    writer = Writer(load(artifact), chat)
    ahead = None if draft is None else Writer(load(draft))
    if ahead is not None and not same(ahead.tokenizer, writer.tokenizer):
        raise InputError(
            f"{draft} has another tokenizer than {artifact}",
            f"train the draft with --tokenizer {artifact}/tokenizer.json",
        )
    writer.check([prompt for prompt, _ in asked], max_tokens)
    if ahead is not None:
        ahead.check(_said(asked), max_tokens, "the draft")
    return writer, ahead


def _events(
    writers: tuple[Writer, Writer | None], batch: list[Asked], settings: Settings, threads: int | None
) -> Iterator[Event]:
    """What the generator makes of a batch of prompts and their seeds."""
    from dataclasses import replace

    from triarch.core.machine import computing, cores
    from triarch.generation.speculation import AHEAD
    from triarch.generation.stream import stream as generated

    writer, ahead = writers
    with computing(cores() if threads is None else threads):
        rows_each = settings.beams if ahead is None else AHEAD + 1
        network, prompts = writer.begin([prompt for prompt, _ in batch], rows_each)
        yield from generated(
            network,
            prompts,
            replace(settings, end=writer.end, banned=writer.banned),
            seeds=[seed for _, seed in batch],
            decode=writer.decode,
            draft=None if ahead is None else ahead.begin(_said(batch))[0],
        )


def _settings(
    max_tokens: int, temperature: float, top_k: int | None, top_p: float | None, min_p: float | None,
    repetition_penalty: float, beams: int, length_penalty: float, stop: Sequence[str], logprobs: bool,
) -> Settings:  # fmt: skip
    from triarch.generation.settings import Settings

    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    return Settings(
        max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, beams, length_penalty, stops,
        logprobs=logprobs,
    )  # fmt: skip


def _said(batch: list[Asked]) -> list[str]:
    """The prompts, of dialogues what was said last."""
    return [prompt if isinstance(prompt, str) else prompt[-1]["content"] for prompt, _ in batch]


def _asked(prompt: str | None, prompts: Path | None, seed: int, chat: bool) -> list[Asked]:
    """The prompts, each with its seed."""
    import io
    import json
    from numbers import Integral

    from triarch.core.errors import InputError

    if (prompt is None) == (prompts is None):
        raise InputError("one of --prompt and --prompts is wanted", 'triarch generate ARTIFACT --prompt "Once"')
    if prompt is not None and not isinstance(prompt, str):
        raise InputError(f"the prompt is no text: {type(prompt).__name__}", "several are given as a file, prompts=")
    if not isinstance(seed, Integral) or not 0 <= seed < 1 << 63:
        raise InputError(f"--seed {seed} is out of bounds", "write a whole number, 0 or more")
    if prompts is None:
        return [(prompt or "", int(seed))]
    if not isinstance(prompts, str | Path):
        raise InputError(f"prompts is no path: {type(prompts).__name__}", "write them into a file, a line each")
    try:
        lines = io.StringIO(Path(prompts).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{prompts} cannot be read: {error}", "give a text file in UTF-8") from error
    asked: list[Asked] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if Path(prompts).suffix != ".jsonl":
            asked.append((line.rstrip("\n"), seed))
            continue
        try:
            given = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{prompts}, line {number} is no JSON: {error}", "mend the line") from error
        entry = {"prompt": given} if isinstance(given, str) else given
        one = _entry(entry, chat, f"{prompts}, line {number}")
        own = entry.get("seed", seed)
        if not isinstance(own, int) or isinstance(own, bool) or not 0 <= own < 1 << 63:
            raise InputError(f"{prompts}, line {number}: the seed {own!r} is no whole number from 0", "mend it")
        asked.append((one, own))
    if not 0 < len(asked) <= MOST_PROMPTS:
        raise InputError(f"{prompts} has {len(asked):,} prompts; 1 to {MOST_PROMPTS:,} are wanted", "a line for each")
    return asked


def _entry(entry: Any, chat: bool, where: str) -> str | Dialogue:
    """The prompt of a line, or its messages."""
    from triarch.core.errors import InputError
    from triarch.data.dialogues import read_message

    kind = "messages" if isinstance(entry, dict) and "messages" in entry else "prompt"
    if kind == "messages" and not chat:
        raise InputError(f"{where} has messages, for which the model's own template is wanted", "add --chat")
    wanted, example = (list, MESSAGES) if kind == "messages" else (str, '"text" or {"prompt": "text", "seed": 1}')
    if not isinstance(entry, dict) or not isinstance(entry.get(kind), wanted):
        raise InputError(f"{where} has no {kind}", f"write {example}")
    if unknown := entry.keys() - {kind, "seed"}:
        raise InputError(f"{where}: nothing is made of {', '.join(sorted(unknown))}", f"write {kind} and seed alone")
    prompt = entry[kind]
    if isinstance(prompt, str):
        return prompt
    if not prompt:
        raise InputError(f"{where}: there are no messages", "give one at least")
    return [read_message(one, f"{where}, message {place}") for place, one in enumerate(prompt, 1)]
