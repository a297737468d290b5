"""Rebuild the tables that the package ships, from published packages.

``languages.csv.gz`` holds emoji names in 25 languages, from the npm package
``emojibase-data``; ``japanese-vowels.csv.gz`` holds 640 spoken vowels, from the
PyPI package ``aeon``; ``sunspots.csv.gz`` and ``co2.csv.gz`` come from
the PyPI package ``statsmodels``; ``web.csv.gz`` holds chapters of the World English Bible,
from Debian's package ``sword-text-web``, and ``verses.csv.gz`` its New Testament beside that of the
Reina-Valera of 1909, from ``sword-text-sparv``. Each archive is fetched by name and version through
its own client (``npm``, ``pip``, ``apt-get``) and must have the SHA-256 recorded here.

    python bench/tables.py           write the tables
    python bench/tables.py --check   compare them with the tables in place
"""

import csv
import gzip
import hashlib
import html
import io
import json
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

TABLES = Path(__file__).resolve().parents[1] / "src" / "triarch" / "data" / "tables"

EMOJIBASE = "17.0.0"
EMOJIBASE_SHA256 = "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a"
AEON = "1.6.0"
AEON_SHA256 = "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409"

STATSMODELS = "0.14.5"
STATSMODELS_SHA256 = "f402fc793458dd6d96e099acb44cd1de1428565bf7ef3030878a8daff091f08a"

WEB = "426.0-1"
WEB_SHA256 = "930b23670b352f0829a306501de4bebb5e654a2df02cde2cbe86b802177868e1"
REINA_VALERA = "2.60-1"
REINA_VALERA_SHA256 = "5c87f9b2bc97457e8a872f5bae7ea7ce59cb3de1dcee73e4d4740451863694cf"
# The five books of Moses, Psalms and Proverbs; of the New Testament all.
OLD = ("Gen", "Exod", "Lev", "Num", "Deut", "Ps", "Prov")

UNLIKE = 2.5

# Every locale of the package but en-gb, es-mx and zh-hant, variants of others.
LANGUAGES = (
    *("bn", "da", "de", "en", "es", "et", "fi", "fr", "hi", "hu", "it", "ja", "ko"),
    *("lt", "ms", "nb", "nl", "pl", "pt", "ru", "sv", "th", "uk", "vi", "zh"),
)
EVERY = 4  # keep one emoji in four, by the order of the Unicode emoji charts
CHANNELS = 12
DECIMALS = 3  # of the six published; the channels' deviations are 0.1 to 0.5


def run(command: list[str], pattern: str, sha256: str, folder: Path) -> Path:
    """Run a fetching command and return the one archive it leaves in folder."""
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob(pattern)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(f"{archive.name}: SHA-256 is {found}, expected {sha256}")
    return archive


def to_csv(rows: Iterable[list[str]]) -> bytes:
    """Rows as UTF-8 CSV with bare line feeds."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")


def languages(folder: Path) -> Iterator[list[str]]:
    """Rows emoji, language, text: one per emoji and language."""
    command = ["npm", "pack", "--silent", f"emojibase-data@{EMOJIBASE}"]
    archive = run(command, "emojibase-data-*.tgz", EMOJIBASE_SHA256, folder)
    labels: dict[str, dict[str, str]] = {}
    order: dict[str, int] = {}
    with tarfile.open(archive) as tar:
        for language in LANGUAGES:
            member = tar.extractfile(f"package/{language}/data.json")
            assert member is not None
            # Skin variants are nested in their base; entries without an order
            # are the 26 regional indicators, which are no emoji on their own.
            entries = [entry for entry in json.load(member) if "order" in entry]
            labels[language] = {entry["hexcode"]: entry["label"] for entry in entries}
            order = {entry["hexcode"]: entry["order"] for entry in entries}
    yield ["emoji", "language", "text"]
    for emoji in sorted(order, key=lambda code: order[code])[::EVERY]:
        for language in LANGUAGES:
            text = unicodedata.normalize("NFC", labels[language][emoji].lower())
            yield [emoji, language, text]


def vowels(folder: Path) -> Iterator[list[str]]:
    """Rows item, label, step, c0 to c11: one per utterance and analysis frame."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", f"aeon=={AEON}"]
    archive = run(command, "aeon-*.whl", AEON_SHA256, folder)
    series: list[str] = []
    with zipfile.ZipFile(archive) as wheel:
        for part in ("TRAIN", "TEST"):
            name = f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts"
            text = wheel.read(name).decode("utf-8")
            series += text.split("@data", 1)[1].split()
    yield ["item", "label", "step", *(f"c{channel}" for channel in range(CHANNELS))]
    for item, line in enumerate(series):
        *channels, label = line.split(":")
        frames = zip(*(channel.split(",") for channel in channels), strict=True)
        for step, frame in enumerate(frames):
            # Adding zero turns a rounded -0.0 into 0.0.
            values = (round(float(value), DECIMALS) + 0.0 for value in frame)
            shown = (f"{value:.{DECIMALS}f}" for value in values)
            yield [str(item), label, str(step), *shown]


def wheel_of_statsmodels(folder: Path) -> zipfile.ZipFile:
    """The wheel for one fixed platform: the data is the same in all."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--platform", "manylinux2014_x86_64", "--python-version", "311", f"statsmodels=={STATSMODELS}"]
    return zipfile.ZipFile(run(command, "statsmodels-*.whl", STATSMODELS_SHA256, folder))


def sunspots(folder: Path) -> Iterator[list[str]]:
    """Rows ds, y: one per year."""
    with wheel_of_statsmodels(folder) as wheel:
        lines = wheel.read("statsmodels/datasets/sunspots/sunspots.csv").decode().splitlines()
    yield ["ds", "y"]
    for line in lines[1:]:
        year, number = line.replace('"', "").split(",")
        yield [str(int(float(year))), number]


def co2(folder: Path) -> Iterator[list[str]]:
    """Rows ds, y: one per week; y is empty where nothing was measured."""
    with wheel_of_statsmodels(folder) as wheel:
        lines = wheel.read("statsmodels/datasets/co2/co2.csv").decode().splitlines()
    yield ["ds", "y"]
    for line in lines[1:]:
        date, value = line.split(",")
        yield [f"{date[:4]}-{date[4:6]}-{date[6:]}", value]


def web(folder: Path) -> Iterator[list[str]]:
    """Rows chapter, text: a line for each verse, without notes, headings and lexicon numbers."""
    unpacked("sword-text-web", WEB, WEB_SHA256, folder)
    yield ["chapter", "text"]
    for testament, books in (("ot", OLD), ("nt", ())):
        chapter, verses = "", list[str]()
        stem = next(folder.rglob(f"{testament}.bzs")).with_suffix("")
        for entry in [*sword_entries(stem), '<chapter osisID="" sID>']:
            if found := re.search(r'<chapter [^>]*osisID="([^"]*)" sID', entry):
                if verses and (not books or chapter.split(".")[0] in books):
                    yield [chapter, "\n".join(verses) + "\n"]
                chapter, verses = found[1], []
            if text := verse_text(entry):
                verses.append(text)


def verses(folder: Path) -> Iterator[list[str]]:
    """Rows chapter, en, es: a verse of the New Testament in both.

    Where one is more than `UNLIKE` times as long as the other, they number otherwise, and the pair is left out; so is
    what is there before in English.
    """
    sides = []
    for name, version, sha256 in (
        ("sword-text-web", WEB, WEB_SHA256), ("sword-text-sparv", REINA_VALERA, REINA_VALERA_SHA256),
    ):  # fmt: skip
        (folder / name).mkdir()
        unpacked(name, version, sha256, folder / name)
        sides.append(numbered(sword_entries(next((folder / name).rglob("nt.bzs")).with_suffix(""))))
    english, spanish = sides
    before = set[str]()
    yield ["chapter", "en", "es"]
    for place, text in english.items():
        answer = spanish.get(place, "")
        alike = max(len(text), len(answer)) <= UNLIKE * min(len(text), len(answer))
        if text and answer and alike and text not in before:
            before.add(text)
            yield [place[0], text, answer]


def numbered(entries: Iterable[str]) -> dict[tuple[str, int], str]:
    """Chapter and number of each verse → its text."""
    found: dict[tuple[str, int], str] = {}
    chapter, number = "", 0
    for entry in entries:
        number += 1
        if marker := re.search(r'<chapter [^>]*osisID="([^"]*)" sID', entry):
            chapter, number = marker[1], 0
        found[chapter, number] = verse_text(entry)
    return found


def unpacked(name: str, version: str, sha256: str, folder: Path) -> None:
    """Fetch a package of Debian and unpack it in folder."""
    archive = run(["apt-get", "download", "--quiet", f"{name}={version}"], f"{name}_*.deb", sha256, folder)
    subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)


def sword_entries(stem: Path) -> Iterator[str]:
    """The entries of a module of the type zText: a heading or a verse each, in OSIS markup.

    `.bzs` has place, size and unpacked size of each block in `.bzz`, which zlib packed; `.bzv` has block, place and
    size of each entry. All numbers are little-endian.
    """
    packed = stem.with_suffix(".bzz").read_bytes()
    blocks = [
        zlib.decompress(packed[place : place + size])
        for place, size, _ in struct.iter_unpack("<III", stem.with_suffix(".bzs").read_bytes())
    ]
    for block, place, size in struct.iter_unpack("<IIH", stem.with_suffix(".bzv").read_bytes()):
        yield blocks[block][place : place + size].decode("utf-8") if size else ""


def verse_text(entry: str) -> str:
    """What is to be read of an entry."""
    inside, _, _ = entry.partition("<chapter eID")  # a glossary stands after the last
    text = re.sub(r"<(note|title)\b.*?</\1>", " ", inside, flags=re.DOTALL)
    text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return re.sub(r" (?=[,.;:?!’”])", "", " ".join(text.split()))


MAKERS = {
    "languages": languages, "japanese-vowels": vowels, "sunspots": sunspots, "co2": co2, "web": web, "verses": verses,
}  # fmt: skip


def main() -> None:
    check = sys.argv[1:] == ["--check"]
    for name, rows in MAKERS.items():
        path = TABLES / f"{name}.csv.gz"
        with tempfile.TemporaryDirectory() as folder:
            table = to_csv(rows(Path(folder)))
        if check and gzip.decompress(path.read_bytes()) != table:
            raise SystemExit(f"{path.name} differs from the rebuilt table")
        if not check:
            with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as out:
                out.write(table)
        print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
