"""The whole of a choice: baselines, costs, heats, finals, verdict, artifact, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from triarch.core.budget import Costs
from triarch.core.choice import BaselineScore, Candidate, Choice
from triarch.core.errors import InputError
from triarch.core.files import folder_bytes, write_json, write_text
from triarch.core.machine import this_machine
from triarch.core.results import Interval, Metric, as_json
from triarch.core.verdict import Verdict
from triarch.data.dataset import Dataset
from triarch.measure.comparison import paired_difference
from triarch.measure.statistics import score as mean_score
from triarch.measure.statistics import score_interval
from triarch.race import baselines
from triarch.race.candidates import Entry, mark_front
from triarch.race.charts import Curve
from triarch.race.costs import SHORTEST_MEASURED, keeping, measure_untrained, standings
from triarch.race.datacard import DataCard, DataCounts, count, samples, shown
from triarch.race.halving import Finalist
from triarch.race.keys import trial_key
from triarch.race.limits import quick_enough, quick_look
from triarch.race.options import Options
from triarch.race.outlook import outlooks
from triarch.race.plan import BASELINES, MEASURING, PROBING, Finals, Heat
from triarch.race.race import Race
from triarch.race.reasons import reasons
from triarch.race.report import MISTAKES, Mistake, report
from triarch.race.twins import NAME, gains, twinned, twins
from triarch.race.verdict import Opened, baseline_values, judge, ranking
from triarch.ship.deliver import Measured, deliver
from triarch.tasks.translate import EXACT
from triarch.training.recipe import Recipe, to_yaml

BUSY = 0.85  # of a processor: with less, other work took it


def run(
    race: Race, entries: Sequence[Entry], allowed: list[Entry], options: Options, looked: dict[str, float] | None
) -> Choice:
    """Run what is left of a race, and write its artifact and report.

    Args:
        entries: all candidates, for the table.
        allowed: those that keep the limits which can be counted.
        options: what the race was asked for.
        looked: from `quick_look`; None: it is still to be done, or in the ledger.
    """
    _check_origins(race)
    allowed = _quick(race, allowed, looked)
    race.settle_threads(allowed, options.threads)
    if not (race.run / "choice.json").exists():
        race.crew  # noqa: B018  (workers get ready while the baselines are fitted)
    scores, fitted = _baselines(race)
    race.reporter.say(_summary(scores))
    if race.ledger.get("plan") is None:
        race.crew.ready()
    planned, finalists, raced = _finalists(race, allowed)
    if options.pretrain:
        others, added = twins(race, finalists, raced)
        finalists, raced, entries = [*finalists, *others], [*raced, *added], [*entries, *added]
    plan = race.plan_finals(finalists, opened=2 + 2 * len(twinned(one.model for one in finalists)))
    finals = race.finals(finalists, plan)
    standing = standings(race, finals, ranking(race.task.primary, finals), plan, raced)
    verdict, winner = judge(race, finals, standing, plan, scores, fitted, options.code(), options.margin)
    _note(race, entries, planned, finals, plan, verdict)
    folder = race.run.parent
    (entry,) = (entry for entry in entries if entry.model == winner.model)
    (stand,) = (one for one in standing if one.model == winner.model)
    if not stand.broken:
        _save_artifact(race, winner, verdict, stand.costs)
        entry.counted.artifact_bytes = folder_bytes(folder)
    candidates = [entry.counted for entry in entries]
    mark_front(candidates, race.task.primary)
    verdict = replace(verdict, front=[one.model for one in candidates if one.on_front])
    race.once("verdict", lambda: as_json(verdict))
    gained = gains(race, finals, plan)
    why = reasons(race, finals, verdict, plan)
    choice = Choice(
        task=race.task.name,
        metric=race.task.primary,
        budget=asdict(race.budget) | ({} if race.budget.timed else {"seconds": None}),
        spent={"seconds": round(race.elapsed, 1)},
        baselines=scores,
        candidates=_sorted(candidates, race.task.primary),
        verdict=verdict,
        artifact=None if stand.broken else str(folder),
        report=str(race.run / "report.html"),
        run=str(race.run),
        seed=race.base.seed,
        threads=race.base.threads,
        machine=asdict(this_machine()),
        data=race.dataset.spec.name,
        notes=[
            *race.dataset.source.notes,
            *race.dataset.variations,
            *options.notes(),
            *_exact(race, winner, verdict, fitted),
            *_unknown(race),
            *([f"there was no time to measure: {NAME}"] if twinned(finals) and not gained else []),
            *_cuts(race, plan),
            *_busy(race),
            *why.notes,
        ],
        reasons=[*gained, *why.reasons],
        robustness=why.robustness,
    )
    mistakes, ahead = _mistakes(race.dataset, winner), outlooks(race.dataset, winner.confirm)
    page = report(choice, _curves(finals, entries), mistakes, _card(race), ahead)
    write_text(race.run / "report.html", page)
    choice.spent["seconds"] = round(race.elapsed, 1)
    write_json(race.run / "choice.json", as_json(choice))
    return choice


def _finalists(race: Race, allowed: list[Entry]) -> tuple[list[Heat], list[Finalist], list[Entry]]:
    """The heats as they were planned, who goes to the finals, and all that raced."""
    planned = race.heats(allowed, race.left - max(PROBING, MEASURING * race.budget.seconds))
    finalists = race.halve(planned)
    for finalist in finalists:
        race.reporter.say(f"{finalist.family}: {finalist.model} goes to the final, learning rate {finalist.lr:.2g}")
    if not finalists:
        raise InputError("every network diverged", f"check the data for extreme values; see {race.ledger.path}")
    first = {finalist.model for finalist in finalists}
    raced = [entry for heat in planned for entry in allowed if entry.model in heat.models]
    if race.budget.max_latency is None or race.budget.seconds >= SHORTEST_MEASURED:
        measure_untrained(race, sorted(raced, key=lambda entry: (entry.model not in first, entry.counted.macs or 0)))
    finalists = keeping(race, planned, finalists, raced)
    return planned, finalists, raced


def _check_origins(race: Race) -> None:
    """Check that artifacts which candidates begin with are those that the race began with.

    Raises:
        InputError: one is not.
    """
    begun = race.arms.begun.values()
    known = race.once("origins", lambda: {arm.name: arm.digest for arm in begun}) if begun else {}
    for arm in begun:
        if known.get(arm.name) != arm.digest:
            raise InputError(f"{arm.begin} is not the artifact that this race began with", "bring that one back")


def _baselines(race: Race) -> tuple[list[BaselineScore], dict[str, baselines.Fitted]]:
    folder, dataset = race.run / "baselines", race.dataset
    probabilities = race.task.primary.name == "loss"
    names = baselines.suited_to(dataset, race.task, probabilities)

    def score(fitted: baselines.Fitted) -> dict[str, Any]:
        values = baseline_values(race, dataset.judged, fitted.select)
        return {"score": mean_score(values, race.strata(dataset.judged)), "seconds": fitted.seconds}

    def fit() -> dict[str, Any]:
        there = [name for name in names if baselines.result_path(folder, name).exists()]
        for name in there:  # its record may be missing, where the race was killed in between
            race.once(f"baseline/{name}", partial(score, baselines.read(folder, name)))
        missing = [name for name in names if name not in there]
        limit = BASELINES * race.budget.seconds
        run = baselines.run(missing, dataset, folder, limit, race.base.threads, race.stop, probabilities)
        for fitted in run:
            race.once(f"baseline/{fitted.name}", partial(score, fitted))
            race.reporter.update(race.fraction, f"baseline {fitted.name}")
        return {}

    done_before = [name for name in names if race.ledger.get(f"baseline/{name}")]
    race.once("baselines", fit, [baselines.result_path(folder, name) for name in done_before])
    scores, done = [], {}
    for name in names:
        record = race.ledger.get(f"baseline/{name}")
        if record is None:
            why = baselines.fault(folder, name)
            told = "not ready in its time" if why is None else f"cannot be fitted: {why}"
            scores.append(BaselineScore(name, None, 0.0, told))
        else:
            scores.append(BaselineScore(name, record.result["score"], record.result["seconds"]))
            done[name] = baselines.read(folder, name)
    return scores, done


def _quick(race: Race, allowed: list[Entry], looked: dict[str, float] | None) -> list[Entry]:
    """Those that keep a limit on latency as far as a look at the untrained model tells."""
    if race.budget.max_latency is None:
        return allowed

    def look() -> dict[str, Any]:
        given = looked or quick_look(race.budget, allowed, race.dataset, race.task, race.base.threads)
        return {"p50_ms": given}

    return quick_enough(race.budget, allowed, race.once("look", look)["p50_ms"])


def _note(
    race: Race,
    entries: Sequence[Entry],
    planned: list[Heat],
    finals: dict[str, list[dict[str, Any]]],
    plan: Finals,
    verdict: Verdict,
) -> None:
    """Write into the candidates how far each came."""
    heats = {model: heat for heat in planned for model in heat.models}
    for entry in entries:
        counted = entry.counted
        if entry.model in heats:
            _note_trials(race, counted, heats[entry.model])
        elif entry.model in finals:
            counted.status, counted.reason = "diverged", "its finals diverged"
        done = [result for result in finals.get(entry.model, []) if result["score"] is not None]
        if done:
            counted.score, counted.interval = _pooled(race, done, plan)
            counted.seeds = len(done)
            errors = [result["calibration_error"] for result in done]
            counted.calibration_error = None if None in errors else float(np.mean(errors))
            place = {verdict.model: "winner", verdict.runner_up: "runner-up"}
            counted.status = place.get(entry.model, "finalist")
            counted.reason = f"the best {entry.group}" if entry.model in heats else "beside the one it was made of"


def _note_trials(race: Race, counted: Candidate, heat: Heat) -> None:
    """Write into a candidate how far it came before the finals."""
    rungs = [
        (number + 1, rate, record.result)
        for number in range(len(heat.rungs))
        for rate in heat.rates[counted.model]
        if (record := race.ledger.get(trial_key(heat.family, counted.model, rate, number)))
    ]
    counted.trials = len({rate for _, rate, _ in rungs})
    furthest = max((number for number, _, _ in rungs), default=0)
    scored = [result for _, _, result in rungs if result["score"] is not None]
    if scored:
        best = max(scored, key=lambda result: race.task.primary.gain(result["score"]))
        counted.score, counted.interval = best["score"], tuple(best["interval"])
    counted.status = "eliminated" if scored else "diverged"
    counted.reason = f"out after rung {furthest} of {len(heat.rungs)}"


def _pooled(race: Race, done: list[dict[str, Any]], plan: Finals) -> tuple[float, Interval]:
    """Score of all seeds of a finalist; where train and select are parted anew, each seed has items of its own."""
    rows = [race.rows("select", plan.select, race.fold(result["seed"])) for result in done]
    if race.fold(1) is not None:
        values = np.concatenate([result["values"] for result in done])
        interval = score_interval(values, race.strata(np.concatenate(rows)))
        return float(np.mean([result["score"] for result in done])), interval
    values = np.array([result["values"] for result in done])
    difference = paired_difference(values, np.zeros(values.shape[1]), race.strata(rows[0]))
    return difference.mean, difference.interval


def _sorted(candidates: list[Candidate], metric: Metric) -> list[Candidate]:
    """The winner, the runner-up, finalists, then the rest, each by score."""
    order = {"winner": 0, "runner-up": 1, "finalist": 2, "eliminated": 3, "diverged": 4, "not run": 5}
    return sorted(candidates, key=lambda one: (order.get(one.status, 6), -metric.gain(one.score or 0.0), one.params))


def _save_artifact(race: Race, winner: Opened, verdict: Verdict, cost: Costs) -> None:
    recipe, arm = Recipe(**winner.recipe), race.arms[winner.model]
    text = to_yaml(recipe)
    origin = Path(arm.begin).name if arm.begin else None
    measured = Measured(
        verdict.score, verdict.score_interval, verdict.n, verdict.split, cost, race.budget.limits, origin
    )  # fmt: skip
    deliver(race.run.parent, arm.model, winner.network, recipe.settings, race.task, arm.dataset, measured, text)
    write_text(race.run / "recipe.yaml", text)


def _exact(race: Race, winner: Opened, verdict: Verdict, fitted: dict[str, baselines.Fitted]) -> list[str]:
    """How many answers are right to the letter, where they are texts that are compared otherwise."""
    if race.dataset.answers is None or race.task.primary.name == EXACT:
        return []
    rows = winner.confirm.items
    told = [f"{winner.model} {winner.confirm.mean(EXACT):.3f}"]
    if verdict.baseline is not None:
        predicted = fitted[verdict.baseline.name].confirm[np.searchsorted(race.rows("confirm"), rows)]
        told.append(f"{verdict.baseline.name} {baseline_values(race, rows, predicted, EXACT).mean():.3f}")
    return [f"{EXACT} on confirm: {', '.join(told)}"]


def _cuts(race: Race, plan: Finals) -> list[str]:
    """What was left out of the finals because there was no time for it."""
    sizes = {"select": plan.select, "confirm": plan.confirm}
    short = sum(bool(record.result.get("cut")) for record in race.ledger)
    why = f"the time limit cut {short} trainings short of their steps, so that another race may come out differently"
    return [why] * bool(short) + [
        f"{size:,} of {len(race.rows(split)):,} items of {split}, drawn by lot, were evaluated"
        for split, size in sizes.items()
        if size < len(race.rows(split))
    ]


def _unknown(race: Race) -> list[str]:
    """What cannot be told of those that begin with artifacts."""
    strange = [arm.name for arm in race.arms.begun.values() if not arm.kept_apart]
    if not strange:
        return []
    return [f"whether {' and '.join(strange)} learned from items of confirm before cannot be told here"]


def _busy(race: Race) -> list[str]:
    """Says where the finals had unequal or little processor time in equal seconds."""
    finals = [record for record in race.ledger if record.key.startswith("final/") and record.cpu_seconds is not None]
    if not finals or not race.budget.timed:
        return []
    parts = [(record.cpu_seconds or 0.0) / record.seconds for record in finals]
    if min(parts) >= BUSY:
        return []
    return [
        f"the machine was busy with other work: finals had from {min(parts):.0%} to {max(parts):.0%} of a processor in"
        " equal seconds, so that scores are lower, and less comparable, than they could be"
    ]


def _curves(finals: dict[str, list[dict[str, Any]]], entries: Sequence[Entry]) -> list[Curve]:
    families = {entry.model: entry.counted.family for entry in entries}
    return [
        Curve(model, families[model], result["seed"], [tuple(point) for point in result["curve"]])
        for model, results in finals.items()
        for result in results
    ]


def _card(race: Race) -> DataCard:
    """The data, for the report."""
    counts = race.once("data", lambda: asdict(count(race.dataset)))
    return DataCard(DataCounts(**counts), samples(race.dataset))


def _mistakes(dataset: Dataset, winner: Opened) -> list[Mistake]:
    """The items of confirm that the artifact gets wrong, the most confident first."""
    if dataset.spec.target.kind != "class":
        return []
    answers = winner.confirm.answers
    labels = dataset.source.labels[winner.confirm.items]
    wrong = np.flatnonzero(answers.argmax(axis=1) != labels)
    wrong = wrong[np.argsort(-answers[wrong].max(axis=1), kind="stable")]
    names = dataset.spec.target.names
    mistakes: list[Mistake] = []
    for position in wrong:
        item = int(winner.confirm.items[position])
        content = shown(dataset, item) if len(mistakes) < MISTAKES else ""
        answer = int(answers[position].argmax())
        mistakes.append(
            Mistake(item, content, names[labels[position]], names[answer], float(answers[position, answer]))
        )
    return mistakes


def _summary(scores: list[BaselineScore]) -> str:
    told = [f"{score.name} {score.score:.3f}" if score.score is not None else f"{score.name} –" for score in scores]
    return f"baselines on select: {', '.join(told)}"
