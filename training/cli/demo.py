"""``qdt demo``: the main job in about a minute: the same missions under attack, once per policy and advisor."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from agents.policies import LEARNED
from qdt_env.engine.chronicle import open_ledger
from qdt_env.engine.episodes import GameConfig
from qdt_env.engine.setup import CHANNELS
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig, load_scenario
from qdt_env.twin.ledger import Audit
from qdt_env.viewer.playback import check_history, read_recording
from qdt_env.viewer.replay import replay_page
from training.cards import CARD, read_card
from training.cli.outputs import JsonFile, check_folder, check_outputs, write_figure, write_json, writing
from training.cli.repeat import check_parts
from training.cli.report import (
    Channel,
    Scenario,
    Seed,
    counted,
    plain,
    progress_bar,
    signed,
    summary,
    with_interval,
)
from training.cli.sheets import show_sheets
from training.rollout import NO_ADVISOR, Missions, run_missions
from training.statistics import Interval, mean_interval, paired_difference, said

THREATS = "mixed"
RESULTS, PICTURE, LEDGER, RECORDING, PAGE = "results.json", "mission.png", "ledger.sqlite", "mission.qdr", "replay.html"
FILES = (RESULTS, CARD, PICTURE, LEDGER, RECORDING, PAGE)


@dataclass(frozen=True)
class Line:
    """One line of the table: who plays, over which suite."""

    policy: str
    advisor: str = NO_ADVISOR
    suite: str = "qkd"

    @property
    def name(self) -> str:
        """For tables: "gain + qaoa", "gain, plaintext"."""
        who = self.policy if self.advisor == NO_ADVISOR else f"{self.policy} + {self.advisor}"
        return who if self.suite == "qkd" else f"{who}, {self.suite}"


REFERENCE = Line("gain")
LINES = (
    Line("nearest"),
    Line("critical"),
    REFERENCE,
    Line("gain", "greedy"),
    Line("gain", "linear"),
    Line("gain", "exact"),
    Line("gain", "qaoa"),
    Line(LEARNED),
    Line("gain", suite="plaintext"),
)
_HEADINGS = (
    "policy + advisor", "score, 95 %", "lives saved", "surviv- ors", "deliv- ered", "lost", "rejec- ted",
    "forged, accepted", "stale decis.", "key bits", "plans", "shots", "circ- uits", "ms per plan",
)  # fmt: skip
_PICTURED = Line("gain", "qaoa")
# Missions per line in buildings of fewer zones than this, by the channel's fidelity.
_SEEDS_BY_ZONES = {"statistical": ((60, 80), (450, 6), (10**9, 2)), "wire": ((60, 8), (450, 1), (10**9, 1))}


def demo(
    scenario: Scenario = "ward",
    channel: Channel = "wire",
    seed: Seed = 0,
    episodes: Annotated[
        int | None, typer.Option("--episodes", "-n", help="Missions per line; by the building's size unless given.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("demo"),
    json_file: JsonFile = None,
) -> None:
    """Rescue missions under attack, once per policy and planner, on the same quakes: a table, a picture, the numbers.

    The threats are "mixed": interception, tampering, replay, loss, stolen keys and an insider, over QKD-keyed links;
    the last line plays the same attack without cryptography. In the wire channel every message is bytes: sealed under
    keys of a simulated BB84 link, attacked, verified and opened; `--channel statistical` plays more missions a second.
    The folder gets results.json, mission.png, ledger.sqlite (try `qdt ledger verify demo/ledger.sqlite`), card.json
    (`qdt run --from demo/card.json` plays it again and compares), and one mission recorded: mission.qdr, with
    replay.html, a page that plays it (open it in a browser).

    Examples: `qdt demo` · `qdt demo --channel statistical` · `qdt demo --scenario clinic.json --seed 100 --out clinic`
    """
    require(channel in CHANNELS, "channel", channel, f"one of {', '.join(CHANNELS)}")
    mission = load_scenario(scenario)
    missions = default_episodes(mission, channel) if episodes is None else episodes
    require(1 <= missions <= 100_000, "episodes", missions, "1 to 100000")
    check_outputs({"--json": json_file}, [scenario, *(out / name for name in FILES)], made=out)
    check_folder(out)
    _check_ours(out)
    with _new_files(out) as fresh:
        played, audit = _play(mission, channel, range(seed, seed + missions), fresh / LEDGER)
        differences = compare(played)
        config, document = _config(scenario, channel, missions, seed, mission), _document(played, differences)
        title = f"{mission.name}, threats {THREATS}: {counted(missions, 'mission')} per line, same seeds"
        sentences = [f"{signed(d)}  {said(d, line.name, REFERENCE.name)}" for line, d in differences.items()]
        words = (_caption(played[REFERENCE]), f"\nScore against {REFERENCE.name}, paired, 95 %", *sentences)
        show_sheets(title, [("Means per mission", _HEADINGS, rows_of(played))], words, markdown=False)
        console = plain()
        found = f"{audit.leaves} steps under {audit.heads} signed heads, verified" if audit else str(audit.problem)
        console.print(f"Ledger of {_PICTURED.name}: {found}", markup=False)
        for name in (RESULTS, CARD):
            write_json(fresh / name, "demo", config, document, "--out")
        write_figure(fresh / PICTURE, lambda path: _draw(played[_PICTURED], path), "--out")
        _record(mission, channel, played[_PICTURED], fresh)
    write_json(json_file, "demo", config, document)
    wrote = f"Wrote {out / PICTURE} (end of one mission of {_PICTURED.name}), {out / RESULTS} and {out / LEDGER}"
    console.print(wrote, markup=False)
    console.print(f"To watch that mission, open {out / PAGE} in a browser", markup=False)


def _check_ours(out: Path) -> None:
    """Refuse a folder in which another's files have the names of the demo's.

    Raises:
        ValueError: they are there, and no card that says a demo wrote them.
    """
    there = [name for name in FILES if (out / name).exists()]
    if there:
        try:
            ours = read_card(out / CARD)["command"] == "demo"
        except ValueError:
            ours = False
        require(ours, "--out", str(out), f"a new folder, or an earlier demo's; no demo wrote the {there[0]} in it")


@contextmanager
def _new_files(out: Path) -> Iterator[Path]:
    """A folder for the files of one demo; they take the place of the last one's together, when all is written."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".demo-", dir=out) as folder:
        yield Path(folder)
        if (out / LEDGER).exists():
            for kind in ("wal", "shm", "journal"):  # SQLite's own of a ledger in use or cut off would spoil the new one
                (out / f"{LEDGER}-{kind}").unlink(missing_ok=True)
        for name in FILES:
            (Path(folder) / name).replace(out / name)


def play_demo(config: dict[str, Any], results: Any) -> tuple[dict[str, Any], Any]:
    """The demo of a card once more, without its files: configuration and results."""
    check_parts(config, {"scenario": str, "channel": str, "episodes": int, "seed": int}, "config of the card")
    mission = load_scenario(config["scenario"])
    missions, seed = config["episodes"], config["seed"]
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / LEDGER
        played, _ = _play(mission, config["channel"], range(seed, seed + missions), book)
    again = _config(config["scenario"], config["channel"], missions, seed, mission)
    return again, _document(played, compare(played))


def _config(scenario: str, channel: str, missions: int, seed: int, mission: ScenarioConfig) -> dict[str, Any]:
    """What the demo's results depend on."""
    return {"scenario": scenario, "threats": THREATS, "channel": channel, "control": "task",
            "episodes": missions, "seed": seed, "building": mission.building.digest()}  # fmt: skip


def _document(played: dict[Line, Missions], differences: dict[Line, Interval]) -> dict[str, Any]:
    """The demo's results as plain numbers."""
    return {
        "lines": {line.name: summary(one) for line, one in played.items()},
        "score_difference_to_gain": {line.name: one.to_dict() for line, one in differences.items()},
    }


def default_episodes(scenario: ScenarioConfig, channel: str) -> int:
    """Missions per line that keep the demo below a minute on two cores."""
    zones = scenario.building.n_zones
    return next(missions for most, missions in _SEEDS_BY_ZONES[channel] if zones < most)


def _play(scenario: ScenarioConfig, channel: str, seeds: range, book: Path) -> tuple[dict[Line, Missions], Audit]:
    """All lines on the same seeds, one of them with a ledger, which is audited at the end."""
    played = {}
    with progress_bar() as begin, open_ledger(book, scenario) as ledger:
        for line in _playable():
            game = GameConfig(line.suite, THREATS, channel=channel)
            step = begin(line.name, scenario.horizon_steps)
            kept = ledger if line == _PICTURED else None
            played[line] = run_missions(scenario, game, line.policy, line.advisor, seeds, progress=step, ledger=kept)
        ledger.sign_head()
        return played, ledger.verify()


def _playable() -> tuple[Line, ...]:
    """The lines that can be played here: a learned policy needs PyTorch."""
    return tuple(line for line in LINES if line.policy != LEARNED or find_spec("torch") is not None)


def compare(played: dict[Line, Missions]) -> dict[Line, Interval]:
    """Paired differences of the score against the reference line."""
    reference = played[REFERENCE].metrics["score"]
    return {
        line: paired_difference(missions.metrics["score"], reference)
        for line, missions in played.items()
        if line != REFERENCE
    }


def rows_of(played: dict[Line, Missions]) -> list[tuple[str, ...]]:
    """The table, one row per line: means per mission."""
    return [
        (
            line.name,
            with_interval(mean_interval(one.metrics["score"])),
            f"{one.mean('lives_saved'):.2f}",
            f"{one.mean('survivors'):.2f}",
            *(f"{count:.0f}" for count in messages(one)[:3]),
            f"{messages(one)[3]:.1f}",
            f"{one.mean('stale_decisions'):.1f}",
            f"{one.mean('key_bits'):,.0f}",
            *_planner(one),
        )
        for line, one in played.items()
    ]


def messages(missions: Missions) -> tuple[float, float, float, float]:
    """Messages per mission: delivered (late ones too), lost (or without key), rejected, forged and accepted."""

    def count(*names: str) -> float:
        return sum(missions.mean(f"messages_{name}") for name in names)

    return (
        count("delivered", "delayed"),
        count("lost", "no_key"),
        count("rejected", "injected_rejected"),
        count("forged"),
    )


def _planner(missions: Missions) -> tuple[str, ...]:
    """Plans, shots and circuit evaluations per mission, and wall time per plan."""
    spent = missions.spent
    if spent is None:
        return ("", "", "", "")
    n = missions.seeds.size
    circuits = sum(record.evaluations for record in spent.records if record.shots)
    quantum = (f"{spent.total('shots') / n:,.0f}", f"{circuits / n:.1f}") if circuits else ("", "")
    return (f"{spent.plans / n:.1f}", *quantum, f"{spent.usual_ms:.2f}")


def _caption(missions: Missions) -> str:
    """What the scale of the score is."""
    none, instant = missions.mean("survivors_none"), missions.mean("survivors_instant")
    return (
        f"{missions.mean('patients'):.1f} patients a mission; {none:.2f} expected survivors if nothing is "
        f"done (score 0), {instant:.2f} with instant rescue (score 1)."
    )


def _median(missions: Missions) -> int:
    """The row of the mission with the median score."""
    order: Any = np.argsort(missions.metrics["score"], kind="stable")
    return int(order[len(order) // 2])


def _record(scenario: ScenarioConfig, channel: str, missions: Missions, out: Path) -> None:
    """Play the mission with the median score once more, recorded, and make the page that shows it."""
    file = out / RECORDING
    row = _median(missions)
    game = GameConfig(missions.game.suite, THREATS, channel=channel)
    seeds = missions.seeds[row : row + 1].tolist()
    run_missions(scenario, game, missions.policy, missions.advisor, seeds, record=file)
    recording = read_recording(file)
    problem = check_history(recording).problem
    same = recording.metrics == {name: float(values[row]) for name, values in missions.metrics.items()}
    require(same and not problem, "recording", problem or "other metrics", "the mission that the table counts")
    with writing("--out", out / PAGE):
        (out / PAGE).write_text(replay_page(file.read_bytes(), file.name), encoding="utf-8")


def _draw(missions: Missions, path: Path) -> None:
    """Picture of the last moment of the mission with the median score."""
    from qdt_env.viewer import FrameRenderer  # loads matplotlib

    renderer = FrameRenderer(missions.episodes, row=_median(missions))
    try:
        renderer.save(path)
    finally:
        renderer.close()
