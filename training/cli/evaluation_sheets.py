"""The tables and words of ``qdt eval`` and ``qdt compare``."""

from collections.abc import Sequence

from training.cli.report import counted, signed, with_ends, with_interval
from training.cli.sheets import Sheet
from training.comparison import ALL_SCENARIOS, METRICS, SCORE, Contest, Standing
from training.evaluate import Evaluation, Trial
from training.statistics import Interval, said

_PLACES = {
    "score": 3, "lives_saved": 2, "survivors": 2, "handed_over": 2, "reds_treated_60min": 3, "overtriage": 3,
    "undertriage": 3, "robots_lost": 2, "stale_decisions": 2, "deceived_decisions": 2, "messages_rejected": 1,
    "messages_forged": 1, "messages_exposed": 1, "key_bits": 0,
}  # fmt: skip
_METHOD = "Intervals: 95 %, bootstrap over missions{strata}, widened for few missions as Student's."
_COMPARE_WORDS = (
    "Difference: mean over the seeds of the policy's score less the reference's; * its interval excludes 0, and that "
    "alone decides. Wins: share of the seeds with the higher score, ties half. Improvement: chance of a higher score "
    "on any seed than the reference's on any other; seeds differ more than policies do, so it stays near 0.5."
)
_NONE = "-"
_ABREAST = 3  # comparisons in one table: what a screen holds


def title_of(trial: Trial, evaluation: Evaluation) -> str:
    """What was played, and on which seeds."""
    first, last = int(evaluation.seeds[0]), int(evaluation.seeds[-1])
    game, n = trial.game, evaluation.seeds.size
    missions = f"{counted(n, 'mission')} per policy" + (" and scenario" if len(evaluation.scenarios) > 1 else "")
    channel = "" if game.channel == "statistical" else f", {game.channel} channel"
    return (
        f"{', '.join(evaluation.scenarios)}: suite {game.suite}, threats {game.threats}{channel}; {missions}, "
        f"seeds {first} to {last}"
    )


def eval_sheets(found: Sequence[Standing]) -> list[Sheet]:
    """One table per policy and scope: a line per metric."""
    headings = ("per mission", "IQM, 95 %", "mean, 95 %", "missions")
    sheets: list[Sheet] = []
    for one in found:
        rows = []
        for metric in METRICS:
            trimmed, plain = one.iqm[metric], one.mean[metric]
            rows.append((words(metric), _ends(trimmed, metric), _ends(plain, metric), str(plain.n) if plain else "0"))
        sheets.append((f"{one.entry.label}, {one.scope}", headings, rows))
    return sheets


def eval_words(evaluation: Evaluation) -> list[str]:
    """How to read the tables, and what the planners spent."""
    known = (
        "IQM: mean of the middle half of the missions. Shares of nothing (no patient of that class, nobody seen) are "
        "left out, so their lines may hold fewer missions."
    )
    return [known, _method(evaluation), *_spending(evaluation)]


def compare_sheets(alone: Sequence[Standing], against: Sequence[Contest]) -> list[Sheet]:
    """Per scope: the scores, and the differences of the other metrics."""
    sheets: list[Sheet] = []
    for scope in dict.fromkeys(one.scope for one in alone):
        contests = {one.entry: one for one in against if one.scope == scope}
        rows = [_score_row(one, contests.get(one.entry)) for one in alone if one.scope == scope]
        sheets.append((f"Score, {scope}", _SCORE_HEADINGS, rows))
        columns = list(contests.values())
        groups = [columns[first : first + _ABREAST] for first in range(0, len(columns), _ABREAST)]
        sheets.extend(_differences(group) for group in groups)
    return sheets


def _differences(contests: Sequence[Contest]) -> Sheet:
    """The metrics beside the score, a line each and a column per policy."""
    others = [metric for metric in METRICS if metric not in (SCORE, "survivors")]  # these differ as the lives saved do
    rows = [[words(name), *(_starred(one.difference[name], name) for one in contests)] for name in others]
    title = f"Per mission, difference to {contests[0].reference.label}, {contests[0].scope}"
    return title, ("measure", *(one.entry.label for one in contests)), rows


def compare_words(evaluation: Evaluation, against: Sequence[Contest]) -> list[str]:
    """How to read the tables, and one sentence per comparison."""
    sentences = []
    for one in against:
        of = "missions" if one.scope == ALL_SCENARIOS else "seeds"
        verdict = said(one.score, one.entry.label, one.reference.label, of)
        sentences.append(f"{one.scope}: {signed(one.score)}: {verdict}")
    several = len(against) > 1
    caution = (
        "Several comparisons: each has its own 95 %; one in twenty of no difference is starred." if several else ""
    )
    return [_COMPARE_WORDS, _method(evaluation), *([caution] if caution else []), *_spending(evaluation), *sentences]


_SCORE_HEADINGS = (
    "policy", "IQM, 95 %", "mean, 95 %", "difference, paired", "difference of IQM", "wins", "improvement",
)  # fmt: skip


def _score_row(one: Standing, contest: Contest | None) -> tuple[str, ...]:
    """One policy's score, and how it stands to the reference."""
    trimmed, plain = one.iqm[SCORE], one.mean[SCORE]
    alone = (one.entry.label, *(with_interval(i) if i else _NONE for i in (trimmed, plain)))
    if contest is None:
        return (*alone, "reference", "", "", "")
    star = "*" if contest.verdict else ""
    chances = (with_interval(contest.wins, 2), with_interval(contest.improvement, 2))
    return (*alone, signed(contest.score) + star, signed(contest.iqm_difference), *chances)


def words(metric: str) -> str:
    """A metric's name for people."""
    return metric.replace("_", " ").replace("60min", "in 60 min")


def _ends(interval: Interval | None, metric: str) -> str:
    return _NONE if interval is None else with_ends(interval, _PLACES[metric])


def _starred(interval: Interval | None, metric: str) -> str:
    if interval is None:
        return _NONE
    same = interval.mean == interval.low == interval.high == 0.0
    return "0" if same else signed(interval, _PLACES[metric]) + ("*" if interval.verdict else "")


def _method(evaluation: Evaluation) -> str:
    """How the intervals were made."""
    several = len(evaluation.scenarios) > 1
    return _METHOD.format(strata=f" (within each scenario for {ALL_SCENARIOS})" if several else "")


def _spending(evaluation: Evaluation) -> list[str]:
    """What the advisors' planners spent, a sentence each."""
    sentences = []
    n = evaluation.seeds.size
    for (scenario, name), spent in evaluation.spent.items():
        plans = spent.get("plans", 0.0)
        if plans:
            label = next(entry.label for entry in evaluation.entries if entry.name == name)
            each = f"{1e3 * spent['wall_s'] / plans:.2f} ms and {spent['shots'] / plans:.0f} shots each"
            sentences.append(f"{label}, {scenario}: {plans / n:.1f} plans per mission, {each}.")
    return sentences
