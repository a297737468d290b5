"""Texts: mails and descriptions of packages to classify, a gigabyte of them, and Python's library to model."""

from __future__ import annotations

import csv
import email
import hashlib
import io
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer

from triarch.core.progress import progress

SECTIONS, OF_EACH = 20, 1000
GIGABYTE = 10**9


def standard_library(source: Path, place: Path) -> int:
    """The modules of Python's library, dealt by package: confirm and select have a tenth of the bytes each.

    In the order of the hashes of their names, packages go to the first of confirm and select that has room, else to
    train.
    """
    packages: dict[str, list[Path]] = {}
    for file in sorted(source.rglob("*.py")):
        inside = file.relative_to(source)
        if not {"site-packages", "dist-packages", "__pycache__"} & set(inside.parts):
            packages.setdefault(inside.parts[0].removesuffix(".py"), []).append(file)
    sizes = {name: sum(file.stat().st_size for file in files) for name, files in packages.items()}
    room = {"test": sum(sizes.values()) // 10, "val": sum(sizes.values()) // 10}
    for name in sorted(packages, key=lambda name: hashlib.blake2b(name.encode()).digest()):
        part = next((part for part, left in room.items() if sizes[name] <= left), "train")
        if part in room:
            room[part] -= sizes[name]
        for file in packages[name]:
            copy = place / part / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return sum(map(len, packages.values()))


def spam_assassin(source: Path, place: Path) -> int:
    """text, label, group: the bodies alone; mails that share most of their words and triples are one group."""
    files = sorted((source / "package" / "data").glob("*/*.txt"))
    mails = [(mail_text(file.read_bytes()), file.parent.name.rpartition("-")[0]) for file in files]
    mails = [(text, "spam" if kind == "spam" else "ham") for text, kind in mails if text]
    groups = near_duplicates([text for text, _ in mails])
    return write_csv(place, ((text, label, str(group)) for (text, label), group in zip(mails, groups)))


def mail_text(mail: bytes) -> str:
    """The text of a mail, without any header or attachment; what it says in HTML only where it says nothing plainly."""
    plain: list[str] = []
    marked: list[str] = []
    for part in email.message_from_bytes(mail).walk():
        if part.get_content_maintype() != "text" or part.get_content_disposition() == "attachment":
            continue
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        try:
            text = content.decode(part.get_content_charset("utf-8"))
        except (UnicodeDecodeError, LookupError):
            text = content.decode("latin-1")
        if part.get_content_subtype() == "html" or re.match(r"\s*<(!doctype|html)\b", text, re.IGNORECASE):
            marked.append(html_text(text))
        else:
            plain.append(text)
    return tidy("\n".join(plain)) or tidy("\n".join(marked))


class _Text(HTMLParser):
    """Collects what a browser would show."""

    HIDDEN = ("script", "style", "title")
    INLINE = ("a", "b", "em", "font", "i", "s", "small", "span", "strong", "sub", "sup", "tt", "u")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.hidden = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.HIDDEN:
            self.hidden = tag
        elif tag not in self.INLINE:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.hidden:
            self.hidden = ""
        elif tag not in self.INLINE:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))


def html_text(page: str) -> str:
    """The text of a page, its blocks on lines of their own."""
    parser = _Text()
    parser.feed(page)
    parser.close()
    return "".join(parser.pieces)


def tidy(text: str) -> str:
    """Without control characters, empty lines and spaces at the ends of lines."""
    text = "".join(character if character.isprintable() or character == "\n" else " " for character in text)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def near_duplicates(texts: list[str], block: int = 256) -> NDArray[np.int32]:
    """A number for each text, the same where a chain of texts leads from one to the other.

    Two are linked when they share at least half of all words, pairs and triples of words that are in either.
    """
    vectorizer = HashingVectorizer(ngram_range=(1, 3), binary=True, norm=None, alternate_sign=False)
    shingles = vectorizer.transform(texts)
    sizes = shingles.getnnz(axis=1)
    rows, columns = [], []
    with progress("mails that say the same") as report:
        for start in range(0, len(texts), block):
            report.update(start / len(texts))
            shared = (shingles[start : start + block] @ shingles.T).toarray()
            either = sizes[start : start + block, None] + sizes - shared
            row, column = np.nonzero(2 * shared >= np.maximum(either, 1))
            rows.append(row + start)
            columns.append(column)
    row, column = np.concatenate(rows), np.concatenate(columns)
    links = coo_array((np.ones(len(row), dtype=bool), (row, column)), shape=(len(texts), len(texts)))
    groups: NDArray[np.int32] = connected_components(links, directed=False)[1]
    return groups


def debian_sections(source: Path, place: Path) -> int:
    """text, label, group: descriptions, sections and source packages; up to 1,000 of each of the 20 largest sections.

    Which ones is decided by the hash of the name.
    """
    said = {
        entry["Description-md5"]: entry["Description-en"]
        for file in sorted(source.glob("*_Translation-en"))
        for entry in stanzas(file.read_text(encoding="utf-8"))
    }
    packages = {
        entry["Package"]: entry
        for file in sorted(source.glob("*_Packages"))
        for entry in stanzas(file.read_text(encoding="utf-8"))
        if entry.get("Description-md5") in said
    }
    left = {name: OF_EACH for name, _ in Counter(map(section, packages.values())).most_common(SECTIONS)}

    def rows() -> Iterator[tuple[str, str, str]]:
        for name in sorted(packages, key=lambda name: hashlib.sha256(name.encode()).digest()):
            entry = packages[name]
            if left.get(section(entry), 0):
                left[section(entry)] -= 1
                yield paragraphs(said[entry["Description-md5"]]), section(entry), entry.get("Source", name).split()[0]

    return write_csv(place, rows())


def section(entry: dict[str, str]) -> str:
    """Of a package, without the component that may stand before it."""
    return entry["Section"].rpartition("/")[2]


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """The entries of a Debian control file, field → value."""
    for stanza in text.split("\n\n"):
        fields = re.findall(r"^([\w-]+): *(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        if fields:
            yield dict(fields)


def paragraphs(description: str) -> str:
    """A description with each paragraph on one line."""
    first, *lines = description.split("\n")
    text = "\n".join(line[1:] if line[:2] != " ." else "" for line in lines)
    blocks = (" ".join(block.split()) for block in text.split("\n\n"))
    return "\n".join(block for block in (first.strip(), *blocks) if block)


def write_csv(place: Path, rows: Iterable[tuple[str, str, str]]) -> int:
    """Write text, label and group; the number of rows."""
    with place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("text", "label", "group"))
        count = 0
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def summaries(source: Path, place: Path) -> int:
    """text, label, group: the first line of each description of debian-sections."""
    with source.open(encoding="utf-8", newline="") as file:
        return write_csv(
            place, ((row["text"].split("\n")[0], row["label"], row["group"]) for row in csv.DictReader(file))
        )


def gigabyte(source: Path, place: Path, size: int = GIGABYTE) -> int:
    """text, label: the rows of debian-sections again and again, numbered, with one word changed for another's."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    words = [text.split(" ") for text, _ in rows]
    draw = random.Random(0)
    number = written = 0
    with place.open("wb") as file, progress("rows") as report:
        written += file.write(b"text,label\n")
        while written < size:
            report.update(written / size)
            lines = io.StringIO()
            writer = csv.writer(lines, lineterminator="\n")
            for _ in range(1000):
                text = list(words[number % len(rows)])
                text[draw.randrange(len(text))] = draw.choice(draw.choice(words))
                writer.writerow((f"{number} {' '.join(text)}", rows[number % len(rows)][1]))
                number += 1
            written += file.write(lines.getvalue().encode())
    return number
