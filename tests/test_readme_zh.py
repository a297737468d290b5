"""The Chinese README keeps step with the English one: the same commands, code, links, and numbers in tables."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def commands(text):
    """The lines of all blocks of shell and Python, without their comments."""
    blocks = [block for language, block in FENCE.findall(text) if language]
    return [re.sub(r"\s+# .*", "", line) for block in blocks for line in block.splitlines()]


def code(text):
    """What stands between backticks outside of blocks, in alphabetical order: a translation moves words."""
    return sorted(re.findall(r"`([^`\n]+)`", FENCE.sub("", text)))


def numbers(text):
    """The numbers of each row of each table."""
    rows = [line for line in FENCE.sub("", text).splitlines() if line.startswith("|")]
    return [(row.count("|"), sorted(re.findall(r"\d+(?:[.,]\d+)*", row))) for row in rows]


def paths(text):
    """The first word of each line of the block without a language, which is the tree of the house."""
    (block,) = (block for language, block in FENCE.findall(text) if not language)
    return [line.split()[0] for line in block.splitlines()[1:] if line]


def links(text):
    return sorted(set(re.findall(r"\]\(([^)]+)\)", text)) - set(TEXTS))


def headings(text):
    return [len(marks) for marks in re.findall(r"^(#+) ", FENCE.sub("", text), flags=re.MULTILINE)]


@pytest.mark.parametrize("part", [commands, code, numbers, paths, links, headings])
def test_both_say_the_same(part):
    english, chinese = (part(text) for text in TEXTS.values())
    assert english
    assert chinese == english


def test_each_links_to_the_other_first():
    for name, other in (("README.md", "README.zh.md"), ("README.zh.md", "README.md")):
        assert f"]({other})" in "".join(TEXTS[name].splitlines()[:4])


def test_the_table_is_as_list_says():
    written = runpy.run_path(str(ROOT / "docs" / "table.py"))["written"]
    assert written(TEXTS["README.zh.md"], "README.zh.md") == TEXTS["README.zh.md"]
