"""The card that a notebook shows for an environment."""

from typing import TYPE_CHECKING

from qdt_env.physical.state import ROBOT_KINDS
from qdt_env.twin.markup import html_card
from qdt_env.viewer.moment import moment_of, threats_name

if TYPE_CHECKING:
    from qdt_env.engine.episodes import Episodes


def episode_card(episodes: "Episodes", row: int = 0, started: bool = True) -> str:
    """What is played and how it stands, as one HTML element.

    Args:
        episodes: what to describe; read, never written.
        row: which episode, 0 .. B-1.
        started: False before the first reset: then only what is played is told.
    """
    scenario, game = episodes.scenario, episodes.game
    building, minutes = scenario.building, scenario.horizon_steps * scenario.physical.dt_s / 60.0
    facts = {
        "building": f"{building.name}: {building.n_zones} zones, {building.n_storeys} storeys",
        "game": f"suite {game.suite}, threats {threats_name(game.threats)}, channel {game.channel}, "
        f"control {game.control}, reward {game.reward}",
        "mission": f"{len(scenario.team)} robots, {scenario.horizon_steps} steps ({minutes:.0f} min)",
    }
    title = f"hospital_rescue_v0: {scenario.name}"
    if not started:
        return html_card(title, {**facts, "state": "not reset yet"})
    now = moment_of(episodes, row)
    facts["state"] = f"step {now.step} of {now.horizon_steps} ({now.clock})"
    facts["score"] = (
        f"{now.score:.3f}, lives saved {now.lives_saved:+.2f}, handed over {now.handed_over}/{now.patients}"
    )
    rows = [("robot", "kind", "zone", "task", "battery", "trust")]
    for r, kind in enumerate(now.kinds):
        if not now.alive[r]:
            rows.append((str(r), ROBOT_KINDS[kind], "", "lost", "", ""))
            continue
        zone = building.zone_id[now.truth.robot_zone[r]]
        numbers = f"{now.truth.robot_energy[r]:.0%}", f"{now.twin.robot_trust[r]:.2f}"
        rows.append((str(r), ROBOT_KINDS[kind], zone, now.tasks[r], *numbers))
    return html_card(title, facts, rows, now.step / now.horizon_steps)
