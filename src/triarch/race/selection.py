"""Who is let race: the user's patterns → architectures and sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from triarch.core.errors import InputError, near
from triarch.core.spec import Modality
from triarch.models import registry


def selected(
    modality: Modality, models: Sequence[str] = (), families: Sequence[str] = (), exclude: Sequence[str] = (),
    unfit: Mapping[str, str] | None = None, names: Sequence[str] | None = None, usual: Sequence[str] | None = None,
) -> list[str]:  # fmt: skip
    """The models, architecture/size, that serve `modality` and that the user lets race.

    Args:
        unfit: architecture → why it cannot do the task, though it may serve the modality.
        models: names and shell patterns of architecture or architecture/size; a name alone means all its sizes.
            Empty: all.
        families: names of families. Empty: all.
        exclude: patterns as in `models`, or names of families; `rnn`, which is both, is the family.
        names: of the architectures, or pairs of them, that there are; None: all architectures.
        usual: those of them that race where `models` is empty; None: all.

    Raises:
        InputError: a name or pattern finds nothing, or nothing of this modality; they leave no model.
    """
    found = {name: registry.find(name) for name in (registry.names() if names is None else names)}
    everything = [f"{name}/{size}" for name, architecture in found.items() for size in architecture.sizes]
    family_of = {model: str(found[_name(model)].family) for model in everything}
    lacks = {name: found[name].lacks[modality] for name in found if modality in found[name].lacks} | dict(unfit or {})
    serving = [model for model in everything if _name(model) not in lacks]
    architectures = ", ".join(dict.fromkeys(map(_name, serving)))
    known = set(family_of.values())
    for pattern in models:
        matched = [model for model in everything if _matches(model, pattern)]
        if not matched and pattern in known:
            raise InputError(f"--models {pattern}: that is a family", f"--families {pattern}")
        if not matched:
            raise InputError(f"--models {pattern}: there is no such model", _near(pattern, everything, family_of))
        if not set(matched) & set(serving):
            lack = lacks[_name(matched[0])]
            raise InputError(f"--models {pattern} serves no {modality}: {lack}", f"what does: {architectures}")
    for family in families:
        if family not in known:
            raise InputError(f"--families {family}: there is no such family", near(family, known))
        if not any(family_of[model] == family for model in serving):
            raise InputError(f"--families {family}: none of it serves {modality}", f"what does: {architectures}")
    for pattern in exclude:
        if pattern not in known and not any(_matches(model, pattern) for model in everything):
            raise InputError(
                f"--exclude {pattern}: there is no such model or family", _near(pattern, everything, family_of)
            )
    left = [
        model
        for model in serving
        if (models or usual is None or _name(model) in usual)
        and (not models or any(_matches(model, pattern) for pattern in models))
        and (not families or family_of[model] in families)
        and not any(family_of[model] == one if one in known else _matches(model, one) for one in exclude)
    ]
    if not left:
        raise InputError("--models, --families and --exclude together leave no model", f"there are {architectures}")
    return left


def _name(model: str) -> str:
    return model.partition("/")[0]


def _matches(model: str, pattern: str) -> bool:
    return fnmatchcase(model, pattern) or fnmatchcase(_name(model), pattern)


def _near(pattern: str, everything: Sequence[str], family_of: dict[str, str]) -> str:
    """Of an architecture that is there its sizes, else the names that look like it."""
    name, _, size = pattern.partition("/")
    sizes = [model.partition("/")[2] for model in everything if _name(model) == name]
    if size and sizes:
        return f"sizes of {name}: {', '.join(sizes)}"
    return near(name, {*map(_name, everything), *family_of.values()})
