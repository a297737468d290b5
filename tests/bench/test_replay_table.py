"""The recorder of the replay table, on a few digits and trainings of some steps."""

import json

import numpy as np
import pytest

import replay_table
from replay_table import FINALS, Recorder, Table, packed, tables, unpacked
from replay_tasks import TASKS, Known
from triarch.core.results import Metric
from triarch.models import registry
from triarch.race.trial import Trial
from triarch.race.work import recipe_of
from triarch.training.evaluate import Scores
from triarch.training.loop import Diverged

FEW = Known("digits", "images", ("plain/nano",))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A whole table: its folder, and the recorder that made it."""
    folder = tmp_path_factory.mktemp("table")
    recorder = Recorder("few", FEW, folder, folder, seconds=0.05)
    for trial in list(recorder.missing):
        recorder.record(*trial)
    return folder, recorder


def test_every_task_has_two_of_each_family():
    for known in TASKS.values():
        families = [str(registry.parse(model)[0].family) for model in known.models]
        assert len(known.models) <= 12
        assert all(families.count(family) >= 2 for family in ("cnn", "rnn", "transformer"))


def test_a_trial_at_its_rungs(recorded):
    folder, _ = recorded
    (table,) = tables(folder)
    assert len(table.trials) == 6
    assert table.metric == Metric("accuracy", "max")
    for trial in table.trials.values():
        steps = table.about["steps"]["plain/nano"]
        assert [final.steps for final in trial.finals] == [round(share * steps) for share in FINALS]
        for way in (trial.rungs, trial.finals):
            assert [rung.steps for rung in way] == sorted({rung.steps for rung in way})
            assert [rung.seconds for rung in way] == sorted(rung.seconds for rung in way)
        assert all(rung.interval[0] < rung.score < rung.interval[1] for rung in trial.rungs)
        assert trial.confirm == pytest.approx(trial.values.mean())
        assert len(trial.values) == table.about["splits"]["confirm"]
    assert table.seconds == pytest.approx(sum(trial.finals[-1].seconds for trial in table.trials.values()))


def test_a_branch_is_the_final_from_scratch(recorded):
    folder, recorder = recorded
    (table,) = tables(folder)
    trial = table.trials["plain/nano", table.about["rates"]["plain/nano"][1], 1]
    for final in trial.finals:
        recipe = recipe_of(recorder.base, trial.model, trial.lr, trial.seed).model_copy(update={"steps": final.steps})
        alone = Trial(recipe, recorder.dataset, recorder.task)
        alone.run(None, finish=True, steps=final.steps)
        scores = alone.scores(recorder.dataset.rows("select"))
        assert scores.mean("loss") == pytest.approx(final.loss, abs=1e-4)
        assert scores.score(recorder.task.primary) == pytest.approx(final.score, abs=1e-6)


def test_goes_on_after_a_line_that_was_cut_off(recorded, tmp_path):
    folder, _ = recorded
    lines = (folder / "few.jsonl").read_text().splitlines()
    (tmp_path / "few.jsonl").write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:-9])
    assert not tables(tmp_path / "nowhere")
    recorder = Recorder("few", FEW, tmp_path, tmp_path, seconds=9.0)
    (missing,) = list(recorder.missing)
    recorder.record(*missing)
    again = [json.loads(line) for line in (tmp_path / "few.jsonl").read_text().splitlines()]
    before = json.loads(lines[-1])
    assert again[:-1] == [json.loads(line) for line in lines[:-1]]
    assert again[-1]["values"] == before["values"]
    assert [rung[3:] for rung in again[-1]["rungs"]] == [rung[3:] for rung in before["rungs"]]


def test_other_code_is_not_mixed_in(recorded, tmp_path, monkeypatch):
    folder, _ = recorded
    content = (folder / "few.jsonl").read_text()
    (tmp_path / "few.jsonl").write_text(content)
    monkeypatch.setattr(replay_table, "code", lambda: "other")
    with pytest.raises(SystemExit, match="other code"):
        Recorder("few", FEW, tmp_path, tmp_path)
    assert (tmp_path / "few.jsonl").read_text() == content


def test_a_trial_that_diverged(recorded, tmp_path, monkeypatch):
    _, recorder = recorded

    def blow_up(self, *_args, **_named):
        raise Diverged(3, float("nan"), 1.0)

    monkeypatch.setattr(Trial, "run", blow_up)
    made = replay_table.trained(recorder.dataset, recorder.task, recorder.base, "plain/nano", 0.01, 0, 40)
    (tmp_path / "one.jsonl").write_text(json.dumps(recorder.about) + "\n" + json.dumps(made) + "\n")
    table = Table(tmp_path / "one.jsonl")
    (trial,) = table.trials.values()
    assert not table.whole
    assert trial.confirm is None
    assert trial.finals == []
    assert trial.rungs[-1].score is None


@pytest.mark.parametrize("values", [[0, 1, 1, 0, 1, 0, 0, 1, 1], [0.5, 1.25, 3.0]])
def test_packing(values):
    metric = Metric("m", "max")
    items = np.arange(len(values))
    scores = Scores(items, items, {"m": np.array(values, dtype=np.float32)}, items.astype(np.float32))
    assert unpacked(packed(scores, metric)).tolist() == values


def test_the_table_in_the_repository_is_of_these_tasks():
    for table in tables():
        assert table.name in TASKS
        assert set(table.about["models"]) == set(TASKS[table.name].models)
