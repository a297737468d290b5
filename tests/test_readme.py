"""The README says what is so."""

import re
import runpy
from pathlib import Path

import triarch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_table_is_as_list_says():
    assert runpy.run_path(str(ROOT / "docs" / "table.py"))["written"](README) == README


def test_every_verb_is_named_and_every_named_verb_is_there():
    named = set(re.findall(r"`triarch (\w+)", README))
    assert named == set(triarch.VERBS)


def test_the_tree_is_the_tree():
    tree = re.search(r"src/triarch/\n(.*?)\ntests/", README, flags=re.DOTALL)
    named = set(re.findall(r"^  (\S+)", tree.group(1), flags=re.MULTILINE))
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in (ROOT / "src" / "triarch").iterdir()
        if not path.name.startswith("__") and path.suffix in ("", ".py")
    }
    assert named == there


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_pages_of_the_architectures_are_as_they_would_be_written():
    written = runpy.run_path(str(ROOT / "docs" / "pages.py"))["pages"]()
    there = {path: path.read_text() for path in (ROOT / "docs" / "architectures").glob("*.md")}
    assert there == written, "run `make docs`"
