"""Recurrent layers over padded batches, with the state at the true end of each row.

Rows are padded, never packed: on a CPU packing costs a factor of three. Only a padded chunk that must leave its state
behind is packed, since then the state in the middle of a row is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from triarch.core.state import State
from triarch.layers.cross import Memory, RecurrentAttention, Score
from triarch.layers.pool import last, lengths

Cell = Literal["rnn", "lstm", "gru"]
KINDS: dict[Cell, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


@dataclass
class RecurrentState(State):
    """Hidden (and for the LSTM cell) vectors, one (B D) for each layer."""

    hidden: tuple[Tensor, ...]
    cell: tuple[Tensor, ...] = ()


class Recurrence(nn.Module):
    """Layers of a recurrent cell in one or two directions.

    Args:
        cell: `nn.RNN` with tanh, `nn.LSTM` or `nn.GRU`.
        in_dim: width of the input.
        dim: D, width of one direction.
        depth: layers.
        directions: 2 reads each row backwards too, from its true end.
        dropout: between layers.
        context_dim: width of a context that is attended to, by what the first layer makes, as later ones see it (Luong
            et al. 2015; between layers as in Wu et al. 2016, arXiv 1609.08144); None: there is none.
        score: of attention.
    """

    def __init__(
        self, cell: Cell, in_dim: int, dim: int, depth: int, directions: int, dropout: float,
        context_dim: int | None = None, score: Score = "dot",
    ) -> None:  # fmt: skip
        super().__init__()
        if directions not in (1, 2):
            raise ValueError(f"directions is 1 or 2, not {directions}")
        widths = [in_dim] + [directions * dim] * (depth - 1)
        self.cell, self.dim, self.directions = cell, dim, directions
        self.forwards = nn.ModuleList(KINDS[cell](width, dim, batch_first=True) for width in widths)
        self.backwards = nn.ModuleList(KINDS[cell](width, dim, batch_first=True) for width in widths if directions == 2)
        self.dropout = nn.Dropout(dropout)
        self.reset()
        self.cross = None if context_dim is None else RecurrentAttention(directions * dim, context_dim, score)

    def reset(self) -> None:
        """Orthogonal recurrent weights; an LSTM begins with open forget gates (Jozefowicz et al. 2015)."""
        for name, parameter in self.named_parameters():
            if "weight_hh" in name:
                for gate in parameter.data.split(self.dim):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                for gate in parameter.data.split(self.dim):
                    nn.init.xavier_uniform_(gate)
            else:
                nn.init.zeros_(parameter)
                if self.cell == "lstm" and "bias_ih" in name:
                    nn.init.ones_(parameter.data[self.dim : 2 * self.dim])

    def forward(
        self, x: Tensor, mask: Tensor | None, state: RecurrentState | None, memory: Memory = ()
    ) -> tuple[Tensor, Tensor, RecurrentState | None]:
        """(B T in_dim) → outputs (B T directions·D), the summary (B directions·D), the state after `x`.

        The summary is the last layer's state at each row's true end, or what a context made of it; backwards, at its
        true beginning.
        """
        if state is not None:
            return self._chunk(x, mask, state, memory)
        summary = x
        for number, layer in enumerate(self.forwards):
            x = self.dropout(x) if number else x
            forwards: Tensor = layer(x)[0]
            summary = last(forwards, mask)
            if self.directions == 2:
                backwards = reverse(self.backwards[number](reverse(x, mask))[0], mask)
                summary = torch.cat((summary, backwards[:, 0]), dim=-1)
                forwards = torch.cat((forwards, backwards), dim=-1)
            x = self._attended(forwards, memory, number)
        return x, self._summary(x, mask, summary, memory), None

    def start(self, batch_size: int, device: torch.device | str) -> RecurrentState:
        """Zeros."""
        zeros = tuple(torch.zeros(batch_size, self.dim, device=device) for _ in self.forwards)
        return RecurrentState(
            position=torch.zeros(batch_size, dtype=torch.long, device=device),
            hidden=zeros,
            cell=tuple(zero.clone() for zero in zeros) if self.cell == "lstm" else (),
        )

    def _attended(self, x: Tensor, memory: Memory, number: int) -> Tensor:
        """What layer `number` made, with what the context says to it after the first."""
        if number or not memory or self.cross is None:
            return x
        attended: Tensor = self.cross(x, memory)
        return attended

    def _summary(self, x: Tensor, mask: Tensor | None, summary: Tensor, memory: Memory) -> Tensor:
        """`summary`, or the last of `x` where the only layer attends to a context."""
        return last(x, mask) if memory and len(self.forwards) == 1 else summary

    def _chunk(
        self, x: Tensor, mask: Tensor | None, state: RecurrentState, memory: Memory
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        if mask is None and x.shape[1] == 1:
            return self._step(x, state, memory)
        steps = lengths(x, mask)
        hidden, cell = [], []
        for number, layer in enumerate(self.forwards):
            before = (state.hidden[number][None], state.cell[number][None]) if self.cell == "lstm" else None
            initial = before if before else state.hidden[number][None]
            if mask is None:
                x, after = layer(x, initial)
            else:
                packed = pack_padded_sequence(x, steps.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
                made, after = layer(packed, initial)
                x = pad_packed_sequence(made, batch_first=True, total_length=x.shape[1])[0]
            x = self._attended(x, memory, number)
            idle = (steps == 0)[:, None]
            h, c = after if self.cell == "lstm" else (after, None)
            hidden.append(torch.where(idle, state.hidden[number], h[0]))
            if c is not None:
                cell.append(torch.where(idle, state.cell[number], c[0]))
        moved = RecurrentState(state.position + steps, tuple(hidden), tuple(cell))
        return x, self._summary(x, mask, hidden[-1], memory), moved

    def _step(self, x: Tensor, state: RecurrentState, memory: Memory) -> tuple[Tensor, Tensor, RecurrentState]:
        """One step (B 1 in_dim): `nn.LSTM` would bring its weights into another order first, each time."""
        hidden, cell = [], []
        for number, layer in enumerate(self.forwards):
            weights = cast(nn.RNNBase, layer).all_weights[0]
            before = state.hidden[number]
            if self.cell == "lstm":
                made, kept = torch.lstm_cell(x[:, 0], (before, state.cell[number]), *weights)
                cell.append(kept)
            else:
                made = (torch.gru_cell if self.cell == "gru" else torch.rnn_tanh_cell)(x[:, 0], before, *weights)
            hidden.append(made)
            x = self._attended(made[:, None], memory, number)
        return x, x[:, 0], RecurrentState(state.position + 1, tuple(hidden), tuple(cell))


def reverse(x: Tensor, mask: Tensor | None) -> Tensor:
    """Each row's real steps in reverse, its padding left where it is: (B T D) → (B T D)."""
    if mask is None:
        return x.flip(1)
    step = torch.arange(x.shape[1], device=x.device)
    index = mask.sum(dim=1, keepdim=True) - 1 - step
    index = torch.where(index >= 0, index, step)
    return x.gather(1, index.unsqueeze(-1).expand_as(x))
