"""Every architecture of the registry sits every exam."""

import pytest

from exams import exams
from golden.goldens import TOLERANCE, losses, nominal_counts, read
from triarch.core.errors import InputError
from triarch.model import build
from triarch.models import registry
from triarch.tasks.classify import Classify

ARCHITECTURES = [registry.find(name) for name in registry.names()]
CELLS = [
    pytest.param(architecture, modality, id=f"{architecture.name}-{modality}")
    for architecture in ARCHITECTURES
    for modality in architecture.modalities
]
SEQUENCES = [cell for cell in CELLS if cell.values[1] != "image"]
CAUSAL = [cell for cell in SEQUENCES if cell.values[0].causal is not None]
each_cell = pytest.mark.parametrize(("architecture", "modality"), CELLS)
each_sequence = pytest.mark.parametrize(("architecture", "modality"), SEQUENCES)
CROSS = [cell for cell in CAUSAL if "cross" in cell.values[0].abilities]
each_causal = pytest.mark.parametrize(("architecture", "modality"), CAUSAL)
each_cross = pytest.mark.parametrize(("architecture", "modality"), CROSS)


@each_cell
def test_builds(architecture, modality):
    exams.builds(architecture, modality)


@each_cell
def test_shapes(architecture, modality):
    exams.shapes(architecture, modality)


@each_cell
def test_gradients(architecture, modality):
    exams.gradients(architecture, modality)


@each_cell
def test_overfits(architecture, modality):
    exams.overfits(architecture, modality)


@each_cell
def test_bfloat16(architecture, modality):
    exams.bfloat16(architecture, modality)


@each_cell
def test_company(architecture, modality):
    exams.company(architecture, modality)


@each_cell
def test_survives_saving(architecture, modality, tmp_path):
    exams.survives_saving(architecture, modality, tmp_path)


@each_sequence
def test_padding(architecture, modality):
    exams.padding(architecture, modality)
    if architecture.causal is not None:
        exams.padding(architecture, modality, architecture.causal)


@each_causal
def test_causality(architecture, modality):
    exams.causality(architecture, modality)


@each_causal
def test_chunking(architecture, modality):
    exams.chunking(architecture, modality)


@each_cross
def test_cross(architecture, modality):
    exams.cross(architecture, modality)
    exams.cross_gradients(architecture, modality)


@each_cell
def test_counts_equal_the_golden(architecture, modality):
    assert nominal_counts(architecture, modality) == read(architecture.name)["counts"][modality]


@each_cell
def test_losses_equal_the_golden(architecture, modality):
    assert losses(architecture, modality) == pytest.approx(read(architecture.name)["losses"][modality], rel=TOLERANCE)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda architecture: architecture.name)
def test_wrong_options_are_told_in_one_line(architecture):
    known = next(iter(vars(architecture.config())))
    for setting, value in (("dimm", 8), (known, "no number")):
        with pytest.raises(InputError) as error:
            architecture.configure("nano", {setting: value})
        assert architecture.name in str(error.value)
        assert len(str(error.value).splitlines()) <= 2
    for modality, reason in architecture.lacks.items():
        with pytest.raises(InputError, match="does not serve"):
            build(architecture.name, "nano", Classify(), exams.spec(modality))
        assert "\n" not in reason
