"""A verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triarch.core.budget import told
from triarch.core.results import Interval, Metric
from triarch.core.verdict import BestBaseline, Settling, Verdict
from triarch.race.costs import Standing


@dataclass(frozen=True)
class Story:
    """What the words of a verdict need besides it.

    Attributes:
        standing: of the verdict's model.
        broken: the finalists that break a limit.
        cheaper: in a tie, what the verdict's model costs against the other; "" where it is not the cheaper.
        moved: whether it was taken for that, though the other ranked first.
        margin: differences up to this count as a tie.
        seeds: its scores on select, one for each seed.
        begun: of the finalists that did not begin with random weights how they began, in clauses.
    """

    metric: Metric
    standing: Standing
    broken: Sequence[Standing]
    cheaper: str
    moved: bool
    margin: float
    seeds: Sequence[float]
    begun: Sequence[str] = ()


def text(verdict: Verdict, story: Story) -> str:
    """First what stands in the way, then whether a network is worth it, which, how sure that is, and what it costs."""
    sentences = [_limits(verdict, story), _worth(verdict, story), _score(verdict, story.metric)]
    sentences += [_optimism(verdict, story), _runner_up(verdict, story), _unsure(verdict), _cost(story)]
    sentences += [_spread(story), _replaced(story)]
    sentences.append(f"{_began(story)} Intervals are 95%.")
    return " ".join(sentence for sentence in sentences if sentence)


def _limits(verdict: Verdict, story: Story) -> str:
    """What is to be said first of limits that are not kept, or not known to be."""
    if story.standing.broken:
        others = [f"{one.model} {one.broken}" for one in story.broken if one.model != verdict.model]
        also = f"; so does every other finalist: {'; '.join(others)}" if others else ""
        return (
            f"No network of this race keeps the limits, and none is saved: {verdict.model}, the best, takes"
            f" {story.standing.broken}{also}."
        )
    if story.standing.unknown:
        limits = " and ".join(told(limit.name, limit.limit) for limit in verdict.limits if limit.kept is None)
        return (
            f"Not shown to keep every limit: the machine was too busy, or the time too short, to hold {verdict.model}"
            f" against {limits}."
        )
    return ""


def _worth(verdict: Verdict, story: Story) -> str:
    baseline, model = verdict.baseline, verdict.model
    if baseline is None:
        return f"Undecided: {model} is the best network, but no baseline was ready to compare it with."
    lead = _lead(baseline, story.metric)
    if story.standing.broken:
        return f"Use {baseline.name}, whose cost was not measured; from it the network differs by {lead}."
    if verdict.kind == "network":
        return f"Use {model}: it beats {baseline.name}, the best baseline, by {lead}{_sure(baseline.probability)}."
    if verdict.kind == "baseline":
        return f"Use {baseline.name}: no network beats it; {model}, the best network, differs by {lead}."
    return (
        f"Undecided: no network is shown to beat {baseline.name}. {model}, the best network, differs by {lead}, and"
        f" {baseline.name} is the simpler of the two.{_settling(baseline.settling)}"
    )


def _score(verdict: Verdict, metric: Metric) -> str:
    low, high = verdict.score_interval
    saved = "" if any(limit.kept is False for limit in verdict.limits) else ", as it is saved,"
    return (
        f"{verdict.model}{saved} has {metric.name} {verdict.score:.3f} ({low:.3f} to {high:.3f}) on {verdict.n:,} items"
        " that took no part in the choice."
    )


def _runner_up(verdict: Verdict, story: Story) -> str:
    if verdict.runner_up is None or verdict.difference is None or verdict.interval is None:
        return ""
    gap = f"{_points(verdict.difference, story.metric)} ({_range(verdict.interval, story.metric)})"
    gap += _sure(verdict.probability)
    if story.moved:
        within = f" within the margin of {_points(story.margin, story.metric).lstrip('+')}" if story.margin else ""
        return (
            f"It ties{within} with {verdict.runner_up}, which ranked first, at {gap}, and is taken because it is the"
            f" cheaper: {story.cheaper}."
        )
    ahead = story.metric.gain(verdict.difference) > 0
    tie = f"a tie, in which it is the cheaper: {story.cheaper}" if story.cheaper else "a tie"
    end = tie if verdict.tie else "a clear lead" if ahead else "the runner-up was better here"
    return f"Against the runner-up {verdict.runner_up} it stands at {gap}: {end}.{_settling(verdict.settling)}"


def _settling(settling: Settling | None) -> str:
    """What would make the difference clear."""
    if settling is None:
        return ""
    if settling.seeds:
        minutes = "" if settling.minutes is None else f", about {_minutes(settling.minutes)} more,"
        seeds = "1 more seed" if settling.seeds == 1 else f"{settling.seeds} more seeds"
        return f" {seeds} of each{minutes} would settle it, if it stays so large."
    if settling.items:
        return f" More time would not settle it; about {settling.items:,} items of confirm would, if it stays so large."
    return " Neither more seeds alone nor a hundred times the items alone would settle it."


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes >= 1.5 else "a minute"


def _unsure(verdict: Verdict) -> str:
    """The families that are not shown to be worse."""
    return " ".join(f"Undecided about {one.family}: of {one.model} {one.reason}." for one in verdict.undecided)


def _optimism(verdict: Verdict, story: Story) -> str:
    """What the choice by select flattered the score."""
    if verdict.optimism is None:
        return ""
    better = "better" if verdict.optimism >= 0 else "worse"
    by = (
        f"{100 * abs(verdict.optimism):.1f} points"
        if story.metric.direction == "max"
        else f"{abs(verdict.optimism):.3f}"
    )
    return f"On select, by which it was chosen, it scored {by} {better}."


def _sure(probability: float | None) -> str:
    """The probability that it is the better."""
    if probability is None:
        return ""
    told = ">99" if probability > 0.99 else "<1" if probability < 0.01 else f"{100 * probability:.0f}"
    return f", better with {told}% probability"


def _cost(story: Story) -> str:
    """What an answer takes, as far as it was measured."""
    costs = story.standing.costs
    names = [name for name in ("max_latency", "max_memory", "max_size") if name not in story.standing.unknown]
    parts = [told(name, figure) for name in names if (figure := costs.of(name)) is not None]
    listed = " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
    return f"It takes {listed}." if parts else ""


def _spread(story: Story) -> str:
    if len(story.seeds) == 1:
        return "There was time for one seed only: what chance in training adds to the intervals is what is usual."
    low, high = min(story.seeds), max(story.seeds)
    return f"Its {len(story.seeds)} seeds range from {low:.3f} to {high:.3f} on select."


def _began(story: Story) -> str:
    if not story.begun:
        return "All networks were trained from scratch."
    return f"Networks were trained from scratch, but for these: {'; '.join(story.begun)}."


def _replaced(story: Story) -> str:
    """The finalists that gave way."""
    if story.standing.broken or not story.broken:
        return ""
    return f"Left out for a limit: {'; '.join(f'{one.model}, {one.broken}' for one in story.broken)}."


def _lead(baseline: BestBaseline, metric: Metric) -> str:
    return f"{_points(baseline.difference, metric)} ({_range(baseline.interval, metric)})"


def _points(difference: float, metric: Metric) -> str:
    return f"{_signed(difference, metric)}{' points' if metric.direction == 'max' else ''}"


def _range(interval: Interval, metric: Metric) -> str:
    return f"{_signed(interval[0], metric)} to {_signed(interval[1], metric)}"


def _signed(difference: float, metric: Metric) -> str:
    """In points where scores are shares."""
    text = f"{100 * difference:+.1f}" if metric.direction == "max" else f"{difference:+.3f}"
    return text.replace("-", "−")
