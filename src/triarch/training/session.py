"""A training with its folder: log, checkpoints, progress, interruption and return."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from triarch.core.files import write_text
from triarch.core.interrupt import Stop, deferred
from triarch.core.progress import Reporter
from triarch.training.checkpoint import load_checkpoint, save_checkpoint
from triarch.training.evaluate import Scores
from triarch.training.loop import Trainer

CHECKPOINT = "checkpoint.safetensors"
CHECKPOINT_SHARE = 0.05
LOG_SECONDS = 0.5
EVALUATION_SHARE = 0.1
LATE = 1.05


class Session:
    """Runs a trainer in the folder `run`.

    Args:
        run: the artifact's `run/`.
        select: scores the trainer's result on the select split, for the learning curve.
    """

    def __init__(self, trainer: Trainer, run: Path, select: Callable[[], Scores], reporter: Reporter) -> None:
        self.trainer, self.run, self.select, self.reporter = trainer, run, select, reporter
        self.checkpoint, self.log = run / CHECKPOINT, run / "metrics.jsonl"
        self._saving = self._evaluating = 0.0
        self._saved = self._logged = time.monotonic()

    def resume(self) -> None:
        """Go back to the last checkpoint, and the log with it; at the beginning where there is none."""
        if self.checkpoint.exists():
            load_checkpoint(self.trainer, self.checkpoint)
        if self.log.exists():
            complete = [line for line in self.log.read_text().split("\n")[:-1] if line]
            kept = [line for line in complete if json.loads(line)["step"] <= self.trainer.step]
            write_text(self.log, "".join(line + "\n" for line in kept))

    def train(self) -> bool:
        """Train to the end of the recipe; False where the user stopped it first, with a checkpoint left behind."""
        with deferred() as stop:
            seconds = self.trainer.recipe.seconds
            deadline = None if seconds is None else LATE * seconds
            self.trainer.run(deadline=deadline, after_step=lambda _: self._after_step(stop))
            self._save()
            return not stop.asked

    def _after_step(self, stop: Stop) -> bool:
        trainer, now = self.trainer, time.monotonic()
        if now - self._logged >= LOG_SECONDS:
            self._logged = now
            self._write({"loss": trainer.loss, "lr": trainer.lr})
            self.reporter.update(self._fraction(), f"step {trainer.step:,}, loss {trainer.loss:.3f}")
        if trainer.step % trainer.batches.per_epoch == 0 and self._evaluating <= EVALUATION_SHARE * trainer.elapsed:
            scores = self.select()
            self._write({"split": "select", **scores.summary(self.trainer.task.primary)})
            self._evaluating += time.monotonic() - now
        due = now - self._saved >= trainer.recipe.checkpoint_seconds
        if due and self._saving <= CHECKPOINT_SHARE * trainer.elapsed:
            self._save()
        return stop.asked

    def _fraction(self) -> float:
        trainer = self.trainer
        if trainer.total is not None:
            return trainer.step / trainer.total
        return trainer.elapsed / trainer.recipe.seconds if trainer.recipe.seconds else 0.0

    def _save(self) -> None:
        begin = time.monotonic()
        save_checkpoint(self.trainer, self.checkpoint)
        self._saved = time.monotonic()
        self._saving += self._saved - begin

    def _write(self, entries: dict[str, object]) -> None:
        line = {"step": self.trainer.step, "seconds": round(self.trainer.elapsed, 3), **entries}
        with open(self.log, "a") as file:
            file.write(json.dumps(line) + "\n")
