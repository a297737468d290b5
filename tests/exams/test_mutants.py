"""The exams can fail: in a copy of the source, each of these faults is found by the exam that is there for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MUTANTS = {
    "a convolution sees one step ahead": (
        "layers/convolution.py", "(self.reach, 0) if self.causal", "(self.reach - 1, 1) if self.causal",
        "test_causality and tcn",
    ),
    "attention sees one step ahead": (
        "layers/sight.py", "append(distance >= 0)", "append(distance >= -1)", "test_chunking and encoder",
    ),
    "attention is not causal": (
        "layers/sight.py", "View(self.causal and bias is None,", "View(False,", "test_causality and encoder",
    ),
    "a convolution reads padding": (
        "layers/convolution.py", "x = zero_padding(x, mask)", "x = zero_padding(x, None)", "test_padding and tcn",
    ),
    "a convolution before a norm reads padding": (
        "layers/conv_norm.py", "x = zero_padding(x, mask)", "x = zero_padding(x, None)", "test_padding and resnet",
    ),
    "attention reads padding": (
        "layers/sight.py", "append(mask[:, None, None])", "append(mask[:, None, None] | True)",
        "test_padding and encoder",
    ),
    "the mean counts padding": (
        "layers/pool.py", "weight = mask.unsqueeze(-1)", "weight = (mask | True).unsqueeze(-1)", "test_padding and tcn",
    ),
    "a recurrence ends in padding": (
        "layers/recurrence.py", "summary = last(forwards, mask)", "summary = forwards[:, -1]", "test_padding and lstm",
    ),
    "a recurrence begins backwards in padding": (
        "layers/recurrence.py", "if mask is None:\n        return x.flip(1)", "if True:\n        return x.flip(1)",
        "test_padding and rnn-text",
    ),
    "a step goes where that of another row goes": (
        "layers/cache.py", "if self.even:", "if True:", "test_chunking and decoder",
    ),
    "rows are taken to stand at one place": (
        "layers/attention.py", "self.even = int(position.min()) == self.reached", "self.even = True",
        "test_chunking and decoder",
    ),
    "a state moves on by padding": (
        "layers/attention.py", "_moved(self.position + slots.steps)", "_moved(self.position + slots.width)",
        "test_chunking and encoder",
    ),
    "a convolution remembers padding": (
        "layers/convolution.py", "index = steps[:, None] + torch.arange(self.reach",
        "index = torch.full_like(steps, x.shape[-1])[:, None] + torch.arange(self.reach",
        "test_chunking and tcn",
    ),
    "a cell is forgotten between chunks": (
        "layers/recurrence.py", "(state.hidden[number][None], state.cell[number][None])",
        "(state.hidden[number][None], 0 * state.cell[number][None])", "test_chunking and lstm",
    ),
    "a scan begins anew with each chunk": (
        "layers/scan.py", "held = before", "held = 0 * before", "test_chunking and rglru",
    ),
    "a scan ends in padding": (
        "layers/scan.py", "(steps - 1).clamp(min=0)", "torch.full_like(steps, h.shape[1] - 1)",
        "test_chunking and mingru",
    ),
    "a short convolution forgets between chunks": (
        "layers/convolution.py", "seen = torch.cat((before, x), dim=1)", "seen = torch.cat((0 * before, x), dim=1)",
        "test_chunking and mingru",
    ),
    "a window sees what was never there": (
        "layers/local_attention.py", " & (behind <= places[..., None])", "[None]", "test_chunking and griffin",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", MUTANTS)
def test_exam_finds(fault, tmp_path):
    file, right, wrong, exam = MUTANTS[fault]
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.gz", "*.egg-info"))
    mutant = tmp_path / "src" / "triarch" / file
    assert mutant.read_text().count(right) == 1
    mutant.write_text(mutant.read_text().replace(right, wrong))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "tests/exams/test_exams.py",
        "-k",
        exam,
        "-p",
        "no:cacheprovider",
    ]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout[-2000:]
    assert "AssertionError" in done.stdout
