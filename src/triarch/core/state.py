"""What a causal backbone remembers between two chunks of one sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from torch import Tensor


@dataclass
class State:
    """Base of every state: fields are tensors, or tuples of tensors, whose first dimension is the row; or plain facts.

    A chunk moves each row on by its number of real steps, so that rows of one batch may stand at different
    positions. Padding of a chunk is on its right. A chunk may write into the tensors of the state that it is given:
    that state is used up, unless it is restored or cut.

    Attributes:
        position: (B), the number of steps that each row has seen.
        context: what the layers keep of the context that they attend to, from `Backbone.read`.
    """

    position: Tensor
    context: tuple[Tensor, ...] = field(default=(), kw_only=True)

    def rows(self, index: Tensor) -> Self:
        """The state of the rows `index`, in that order; a row may be taken more than once (beams)."""
        return self._map(lambda tensor: tensor.index_select(0, index))

    def move(self, origin: Tensor, to: Tensor) -> None:
        """Put the rows `origin` in the place of the rows `to`; none is both. They read the same context."""
        for known in fields(self):
            value = getattr(self, known.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Tensor) and known.name != "context":
                    part.index_copy_(0, to, part.index_select(0, origin))

    def snapshot(self) -> Self:
        """A copy that later chunks do not change."""
        return self._map(Tensor.clone)

    def restore(self, saved: Self) -> None:
        """Go back to `saved`, a snapshot of this state."""
        for name, value in vars(saved.snapshot()).items():
            setattr(self, name, value)

    def can_cut(self, steps: int) -> bool:
        """Whether `cut` can take back the next `steps` steps; where not, a snapshot has to be taken before them."""
        return False

    def cut(self, position: Tensor) -> None:
        """Forget each row's steps from `position` (B) on.

        Raises:
            ValueError: what is remembered cannot be parted into steps, as in a recurrence.
        """
        raise ValueError(f"{type(self).__name__} cannot be cut back: take a snapshot and restore it")

    def tensors(self) -> Iterator[Tensor]:
        """All of them."""
        for value in vars(self).values():
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Tensor):
                    yield part

    def _map(self, function: Callable[[Tensor], Tensor]) -> Self:
        changed: dict[str, Any] = {}
        for known in fields(self):
            value = getattr(self, known.name)
            if isinstance(value, tuple):
                changed[known.name] = tuple(function(part) for part in value)
            elif isinstance(value, Tensor):
                changed[known.name] = function(value)
        return replace(self, **changed)
