"""Writes the table of architectures, as `triarch list` knows them, into the READMEs, between two marks."""

from __future__ import annotations

from pathlib import Path

import triarch
from triarch.core.spec import MODALITIES

BEGIN, END = "<!-- architectures -->", "<!-- end of architectures -->"
ROOT = Path(__file__).parents[1]


HEADS = {
    "README.md": ("architecture", "family", *MODALITIES, "step by step", "sizes"),
    "README.zh.md": ("架构", "家族", "图像", "文本", "序列", "逐步运行", "规格"),
}


def table(heads: tuple[str, ...]) -> str:
    """Markdown: a row an architecture, a column a modality."""
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for model in triarch.list().models:
        serves = " | ".join("✓" if modality in model.modalities else "–" for modality in MODALITIES)
        causal = "✓" if "causal" in model.abilities else "–"
        lines.append(f"| `{model.model}` | {model.family} | {serves} | {causal} | {', '.join(model.sizes)} |")
    return "\n".join(lines)


def written(text: str, name: str = "README.md") -> str:
    """`text`, of the file `name`, with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table(HEADS[name])}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    for name in HEADS:
        readme = ROOT / name
        readme.write_text(written(readme.read_text(encoding="utf-8"), name), encoding="utf-8")
