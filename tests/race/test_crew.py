"""Workers that are ended, and how work is shared among them."""

import os
import signal

import pytest

from triarch.core.errors import InputError
from triarch.core.machine import computing
from triarch.race.crew import Processes
from triarch.race.options import Options
from triarch.race.plan import stretch
from triarch.race.subject import subject
from triarch.race.work import Piece, Workshop
from triarch.race.worker import DATA, setting


def piece(number=0, model="plain/nano"):
    return Piece(f"trial/{number}", "a trial", model, 0.01, number, None, 50, final=False, steps=3, seconds=None)


def silent(note):
    pass


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    options = Options(data="digits", steps=3)
    return tmp_path_factory.mktemp("run"), options, *subject("digits", options, options.recipe()), options.recipe()


def crew(stage, size, watch=silent):
    return Processes(size, setting(*stage), stage[0], watch)


def test_workers_do_what_one_process_does(stage):
    run, _, dataset, task, base = stage
    notes = []
    workers = crew(stage, 2, notes.append)
    try:
        workers.ready()
        assert all(worker.ready for worker in workers._workers)
        done = {piece.key: result for piece, result, *_ in workers.results(piece(number) for number in range(3))}
    finally:
        workers.close()
    shop = Workshop(run, dataset, task, base, silent)
    with computing(1, 0, flush_denormals=True):
        assert done == {f"trial/{number}": shop.do(piece(number)) for number in range(3)}
    assert any("a trial" in note for note in notes)


def test_a_piece_that_ends_every_worker_is_given_up(stage):
    def kill(note):
        for worker in workers._workers:
            os.kill(worker.process.pid, signal.SIGKILL)

    workers = crew(stage, 1, kill)
    try:
        with pytest.raises(InputError, match="3 workers were ended"):
            list(workers.results([piece()]))
    finally:
        workers.close()


def test_a_fault_in_a_worker_is_told(stage):
    workers = crew(stage, 1)
    try:
        with pytest.raises(InputError, match="no architecture"):
            list(workers.results([piece(model="none/nano")]))
    finally:
        workers.close()


def test_other_data_is_refused(stage):
    told = setting(*stage)
    told["same"]["fitted"] = ""
    workers = Processes(1, told, stage[0], silent)
    try:
        with pytest.raises(InputError, match="not the data"):
            list(workers.results([piece()]))
    finally:
        workers.close()
    assert not (stage[0] / DATA).exists()


@pytest.mark.parametrize(
    ("slots", "workers", "factor"),
    [([1, 2], 1, 1.0), ([1, 1, 1], 2, 1.5), ([2, 1, 1], 2, 2.0), ([5], 4, 1.0), ([], 2, 1)],
)
def test_stretch(slots, workers, factor):
    assert stretch(slots, workers) == pytest.approx(factor)
