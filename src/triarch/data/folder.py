"""A folder of files, one an item: pictures or texts."""

from __future__ import annotations

from pathlib import Path

from triarch.core.errors import InputError
from triarch.core.progress import Report
from triarch.core.spec import Modality
from triarch.data.asked import Asked
from triarch.data.classes import Classes, endings, survey
from triarch.data.pictures import is_picture, read_pictures
from triarch.data.source import Source
from triarch.data.texts import ENDINGS, is_text, read_texts


def read_folder(path: Path, asked: Asked, report: Report) -> Source:
    """A folder with a folder for each class, or with folders train, val and test of such.

    Raises:
        InputError: it is none, or what is in it cannot be read.
    """
    asked.refuse(f"{path}: a folder", "target", "group")
    found = survey(path)
    modality = asked.modality or _modality(found)
    if modality == "series":
        raise InputError(f"{path}: series are not read from class folders", "give a table, a .ts or an .npz file")
    return read_pictures(found, asked, report) if modality == "image" else read_texts(found, asked, report)


def _modality(found: Classes) -> Modality:
    """What most files of each class are, which must be one for all.

    Raises:
        InputError: some are pictures and some are texts, or they are neither.
    """
    files = [path for folder in found.folders for path in folder.files]
    if all(not path.suffix for path in files):
        return "text"
    first: dict[Modality, Path] = {}
    for folder in found.folders:
        pictures = sum(map(is_picture, folder.files))
        texts = sum(map(is_text, folder.files))
        if not pictures and not texts:
            raise InputError(
                f"{folder.path} holds neither pictures nor texts: {endings(folder.files)}",
                f"pictures end with .png, .jpg and the like, texts with {', '.join(ENDINGS)}",
            )
        if pictures and texts >= pictures:
            raise InputError(
                f"{folder.path} holds {pictures:,} pictures and {texts:,} texts",
                "--input image or --input text says which are the items",
            )
        first.setdefault("image" if pictures else "text", folder.path)
    if len(first) > 1:
        raise InputError(
            f"{first['image']} holds pictures, but {first['text']} holds texts", "make two data sets of them"
        )
    return next(iter(first))
