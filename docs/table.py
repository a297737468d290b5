"""Writes the table of architectures, as `triarch list` knows them, into the READMEs, between two marks."""

from __future__ import annotations

from pathlib import Path

import triarch
from triarch.core.spec import MODALITIES

BEGIN, END = "<!-- architectures -->", "<!-- end of architectures -->"
ROOT = Path(__file__).parents[1]


def table() -> str:
    """Markdown: a row an architecture, a column a modality."""
    lines = [f"| architecture | family | {' | '.join(MODALITIES)} | step by step | sizes |", "|---" * 7 + "|"]
    for model in triarch.list().models:
        serves = " | ".join("✓" if modality in model.modalities else "–" for modality in MODALITIES)
        causal = "✓" if "causal" in model.abilities else "–"
        lines.append(f"| `{model.model}` | {model.family} | {serves} | {causal} | {', '.join(model.sizes)} |")
    return "\n".join(lines)


def written(text: str) -> str:
    """`text` with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(written(readme.read_text()))
