"""Translation by pairs of backbones of every family."""

import math
from dataclasses import replace

import pytest
import torch
from sacrebleu.metrics import CHRF
from torch.nn import functional as F

from made.spelled import opened, pairs
from triarch.core.errors import InputError
from triarch.core.types import NOTHING
from triarch.data.dataset import prepare
from triarch.generation.settings import Settings
from triarch.model import build
from triarch.tasks.classify import Classify
from triarch.tasks.translate import Translate
from triarch.training.evaluate import evaluate

MODELS = ["gru+gru", "lstm+decoder", "encoder+decoder", "tcn+tcn", "encoder+lstm", "plain+rnn"]


@pytest.fixture(scope="module")
def dataset():
    return prepare(opened(pairs(900)))


def made(dataset, model, **settings):
    torch.manual_seed(0)
    return build(model, "nano", Translate(dataset.spec), dataset.spec, settings).eval()


@pytest.mark.parametrize("model", MODELS)
def test_what_is_written_is_the_likeliest_in_the_whole_pass(dataset, model):
    """Token by token, with rows left out as they end; given what was written, each step's likeliest token is it, of
    those that stand for text."""
    network, task = made(dataset, model), Translate(dataset.spec)
    batch = task.prepare(dataset.batch(dataset.rows("select")[:24]))
    with torch.no_grad():
        written = network.write(batch)
        told = network(replace(batch, given=None, target=None))
    told[..., [token for token in dataset.spec.target.special if token != dataset.spec.target.end]] = float("-inf")
    assert torch.equal(task.decode(told, batch), written)
    for row in range(3):  # alone, as in company
        alone = dataset.batch(batch.items[row : row + 1].numpy())
        single = network.write(alone)[0]
        assert torch.equal(single, written[row, : len(single)])
        assert not written[row, len(single) :].any()


@pytest.mark.parametrize("model", MODELS)
def test_a_search_finds_what_is_more_probable(dataset, model):
    """Alone as in company; the source is read once."""
    network, task = made(dataset, model), Translate(dataset.spec)
    batch = task.prepare(dataset.batch(dataset.rows("select")[:12]))
    read = []
    network.source.register_forward_hook(lambda *_: read.append("source"))
    network.backbone.read = lambda context, read_it=network.backbone.read: read.append("context") or read_it(context)
    how = Settings(task.target.max_len, temperature=0, length_penalty=0)
    texts = [network.write(batch, replace(how, beams=beams)) for beams in (1, 4)]
    assert read == ["source", "context"] * 2
    greedy, searched = (total(network, batch, text) for text in texts)
    assert (searched >= greedy - 1e-4).float().mean() > 0.9
    assert (searched > greedy + 1e-4).any() or model == "lstm+decoder"  # which, untrained, repeats itself surely
    for row in range(3):
        alone = network.write(dataset.batch(batch.items[row : row + 1].numpy()), replace(how, beams=4))[0]
        assert torch.equal(alone, texts[1][row, : len(alone)])


@torch.no_grad()
def total(network, batch, written):
    """The log-probability of each answer (B) of those that stand for text."""
    target = network.target
    given = torch.cat((torch.full_like(written[:, :1], target.end), written[:, :-1]), dim=1)
    told = network(replace(batch, given=given))
    told[..., list(network.settings().banned)] = float("-inf")
    each = told.log_softmax(-1).gather(2, written[..., None])[..., 0]
    return each.masked_fill(written == 0, 0).sum(dim=1)


@pytest.mark.parametrize(
    "model", ["gru+gru", *(pytest.param(slow, marks=pytest.mark.slow) for slow in ("encoder+decoder", "tcn+tcn"))]
)
def test_learns_to_spell(dataset, model):
    """A few hundred steps, and what it reads shows in what it writes."""
    task, network = Translate(dataset.spec), made(dataset, model).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    rows = dataset.rows("train")
    generator = torch.Generator().manual_seed(0)
    for _ in range(250):
        some = rows[torch.randperm(len(rows), generator=generator)[:48].numpy()]
        batch = task.prepare(dataset.batch(some))
        loss = task.loss(network(batch), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    scores = evaluate(network, task, dataset.batches(dataset.rows("select"), 20))
    assert scores.mean("chrF") > 0.6


def test_metrics(dataset):
    task, network = Translate(dataset.spec), made(dataset, "gru+gru")
    batch = task.prepare(dataset.batch(dataset.rows("select")[:6]))
    with torch.no_grad():
        output = network(batch)
    right = replace(batch, written=batch.target.masked_fill(batch.target == NOTHING, 0))
    values = task.metrics(output, right)
    assert values["exact match"].tolist() == [1.0] * 6
    assert values["chrF"].tolist() == pytest.approx([1.0] * 6)
    for row in range(6):
        length = int((batch.target[row] != NOTHING).sum())
        nats = F.cross_entropy(output[row, :length], batch.target[row, :length], reduction="sum").item()
        assert values["loss"][row].item() == pytest.approx(nats / length, rel=1e-5)
        assert values["bits per byte"][row].item() == pytest.approx(
            nats / math.log(2) / batch.unit[row].item(), rel=1e-5
        )
    wrong = batch.target[:, :2].clone()  # no [END]
    expected = [CHRF().sentence_score(" ".join(text.split()[:2]), [text]).score / 100 for text in batch.references]
    assert task.judge(wrong, batch)["chrF"].tolist() == pytest.approx(expected)


def test_nothing_after_the_end_counts(dataset):
    task = Translate(dataset.spec)
    end = dataset.spec.target.end
    ids = torch.tensor([[2, 3, end, 4, 5], [end, 2, end, 3, 3], [2, 3, 4, 5, 6]])
    decoded = task.decode(
        F.one_hot(ids, dataset.spec.target.vocab_size).float(), dataset.batch(dataset.rows("select")[:3])
    )
    assert decoded.tolist() == [[2, 3, end, 0, 0], [end, 0, 0, 0, 0], [2, 3, 4, 5, 6]]
    assert task.texts(decoded) == ["A B", "", "A B C D E"]


def test_a_summary_in_place_of_attention(dataset):
    network = made(dataset, "gru+gru", sees="summary")
    batch = Translate(dataset.spec).prepare(dataset.batch(dataset.rows("select")[:4]))
    context = network.context(batch)
    assert context.values.shape[:2] == (4, 1)
    assert network.write(batch).shape[0] == 4


@pytest.mark.parametrize(
    ("model", "settings", "fault"),
    [
        ("gru", {}, "alone"),
        ("gru+encoder", {}, "attends to no"),
        ("vit+gru", {}, "does not serve text"),
        ("gru+gruu", {}, "no architecture"),
        ("gru+gru", {"depth": 2}, "no setting 'depth'"),
        ("gru+gru", {"sees": "all"}, "sees"),
        ("gru+gru", {"target": {"attention": "loud"}}, "attention"),
    ],
)
def test_faults(dataset, model, settings, fault):
    with pytest.raises(InputError, match=fault):
        build(model, "nano", Translate(dataset.spec), dataset.spec, settings)


def test_a_pair_is_for_nothing_else(dataset):
    with pytest.raises(InputError, match="is a pair"):
        build("gru+gru", "nano", Classify(), dataset.spec, {})
