"""Many steps at once equal the recurrence taken step by step: values, states and gradients."""

import pytest
import torch

from triarch.layers.ssd import ssd, step

B, N, H, S = 2, 4, 6, 5


def numbers(steps, groups=2, dtype=torch.float64):
    """x, dt, a, b, c, d and the state before."""
    torch.manual_seed(steps)
    made = [
        torch.randn(B, steps, N, H), torch.rand(B, steps, N) / 3 + 0.01, -4 * torch.rand(N),
        torch.randn(B, steps, groups, S), torch.randn(B, steps, groups, S), torch.randn(N), torch.randn(B, N, H, S),
    ]  # fmt: skip
    return [part.to(dtype).requires_grad_() for part in made]


def recurrence(x, dt, a, b, c, d, state):
    made = []
    for now in range(x.shape[1]):
        y, state = step(x[:, now], dt[:, now], a, b[:, now], c[:, now], d, state)
        made.append(y)
    return torch.stack(made, dim=1), state


def same(made, expected, tolerance):
    for ours, theirs in zip(made, expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= tolerance * max(1, theirs.abs().max())


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("steps", [1, 2, 8, 9, 50, 64])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_equals_the_recurrence(groups, steps, dtype, tolerance):
    found = []
    for function in (ssd, recurrence):
        inputs = numbers(steps, groups, dtype)
        y, state = function(*inputs)
        (y * torch.randn(y.shape, dtype=dtype)).sum().add(
            (state * torch.randn(state.shape, dtype=dtype)).sum()
        ).backward()
        found.append((y, state, *(part.grad for part in inputs)))
    same(*found, tolerance)


def test_gradients_equal_differences():
    small = numbers(9)
    small[0], small[6] = torch.randn(1, 9, N, 2).double(), torch.randn(1, N, 2, S).double()
    small[1], small[3], small[4] = (small[index][:1].detach() for index in (1, 3, 4))
    assert torch.autograd.gradcheck(ssd, [part.detach().requires_grad_() for part in small])


def test_parts_equal_the_whole():
    x, dt, a, b, c, d, state = numbers(50)
    whole, after = ssd(x, dt, a, b, c, d, state)
    made = []
    for part in torch.arange(50).split([1, 20, 4, 25]):
        y, state = ssd(x[:, part], dt[:, part], a, b[:, part], c[:, part], d, state)
        made.append(y)
    same((torch.cat(made, dim=1), state), (whole, after), 1e-12)


def test_the_state_stands_still_where_dt_is_zero():
    x, dt, a, b, c, d, state = numbers(50)
    _, after = ssd(x[:, :20], dt[:, :20], a, b[:, :20], c[:, :20], d, state)
    dt = torch.where(torch.arange(50)[:, None] < 20, dt, 0).detach().requires_grad_()
    y, still = ssd(x, dt, a, b, c, d, state)
    same((still,), (after,), 1e-12)
    (y.sum() + still.sum()).backward()
    assert torch.isfinite(dt.grad).all()


@pytest.mark.parametrize("pace", [1e-20, 1e-3, 1.0, 30.0, 1e3, 1e6])
def test_gradients_at_any_pace(pace):
    found = []
    for function in (ssd, recurrence):
        inputs = [part.detach().float() for part in numbers(64)]
        inputs[1] *= pace
        inputs = [part.requires_grad_() for part in inputs]
        y, state = function(*inputs)
        (y.sum() + state.sum()).backward()
        found.append([y, state, *(part.grad for part in inputs)])
        found[-1][3] = inputs[1].grad * inputs[1]  # a step's size matters by its own measure
    assert all(torch.isfinite(part).all() for part in found[0])
    if pace < 100:  # beyond it the sums of a chunk have too few digits left, and hardly anything is remembered
        same(*found, 2e-5)
