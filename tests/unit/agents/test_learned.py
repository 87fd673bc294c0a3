"""Networks over entities, acting with them, and their files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="learned policies need PyTorch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from agents.blocks import cut, deciding, hide  # noqa: E402
from agents.critics import TruthCritic  # noqa: E402
from agents.learned import Actor, LearnedPolicy, load_network, one_thread, rounds, save_policy  # noqa: E402
from agents.networks import NetworkConfig, TeamPolicy  # noqa: E402
from agents.policies import make_policy  # noqa: E402
from qdt_env.spaces import PATIENT_FEATURES, SELF_FEATURES, ActionCodec, ObservationLayout  # noqa: E402

LAYOUT = ObservationLayout(patients=7, slots=3, robots=3)
CODEC = ActionCodec("task", 7, 3)


def network(advised: bool = False, **config: Any) -> TeamPolicy:
    """A policy whose weights are large enough to tell inputs apart."""
    torch.manual_seed(1)
    policy = TeamPolicy(NetworkConfig(**config), advised)
    with torch.no_grad():
        policy.patient.weight.mul_(100.0)
        policy.others.weight.mul_(100.0)
    return policy


def observations(n: int, layout: ObservationLayout = LAYOUT, seed: int = 0) -> torch.Tensor:
    """Random features; the first four patient slots are open."""
    seen = torch.rand(n, layout.size, generator=torch.Generator().manual_seed(seed))
    cut(layout, seen, "tasks")[..., 0] = (torch.arange(layout.patients) < 4).float()
    cut(layout, seen, "self")[..., SELF_FEATURES.index("busy")] = 0.0
    return seen


def asked(policy: TeamPolicy, seen: torch.Tensor, layout: ObservationLayout = LAYOUT) -> torch.Tensor:
    """Logits with every action allowed."""
    n, actions = len(seen), ActionCodec("task", layout.patients, layout.slots).n
    free = torch.ones(n, actions, dtype=torch.int8)
    with torch.no_grad():
        logits, _ = policy(layout, seen, free, torch.zeros(n, layout.patients), torch.zeros(n, policy.config.hidden))
    return logits


def test_patients_in_another_order_get_their_logits_in_that_order() -> None:
    policy, seen = network(), observations(5)
    order = torch.tensor([3, 0, 6, 2, 5, 1, 4])
    swapped = seen.clone()
    cut(LAYOUT, swapped, "tasks")[:] = cut(LAYOUT, seen, "tasks")[:, order]
    one, other = asked(policy, seen), asked(policy, swapped)
    assert torch.allclose(other[:, 1:8], one[:, 1:8][:, order], atol=1e-5)
    assert torch.allclose(other[:, [0, *range(8, 14)]], one[:, [0, *range(8, 14)]], atol=1e-5)
    assert (one[:, 1:5].std(1) > 1e-3).all()  # and they do differ


def test_empty_slots_and_more_robots_change_nothing_but_the_size() -> None:
    policy, seen = network(), observations(5)
    larger = ObservationLayout(patients=20, slots=5, robots=5)
    wide = torch.zeros(5, larger.size)
    for name in LAYOUT.blocks:
        block = cut(LAYOUT, seen, name)
        cut(larger, wide, name)[:, : block.shape[1]] = block
    cut(LAYOUT, seen, "tasks")[:, 4:] = 0.0
    cut(larger, wide, "tasks")[:, 4:] = 0.0
    one, other = asked(policy, seen), asked(policy, wide, larger)
    assert torch.allclose(one[:, :5], other[:, :5], atol=1e-5)
    assert torch.allclose(one[:, -6:], other[:, -6:], atol=1e-5)


def test_a_policy_that_sees_nobody_still_answers() -> None:
    seen = observations(2)
    cut(LAYOUT, seen, "tasks")[:] = 0.0
    alone = ObservationLayout(patients=7, slots=3, robots=1)
    assert torch.isfinite(asked(network(), seen)).all()
    assert torch.isfinite(asked(network(), torch.zeros(2, alone.size), alone)).all()


def test_hidden_features_do_not_matter_and_others_do() -> None:
    seen = observations(4)
    changed = seen.clone()
    cut(LAYOUT, changed, "tasks")[..., PATIENT_FEATURES.index("trust")] = 0.123
    blind, seeing = network(without=("tasks.trust",)), network()
    assert torch.equal(asked(blind, seen), asked(blind, changed))
    assert not torch.allclose(asked(seeing, seen), asked(seeing, changed))
    with pytest.raises(ValueError, match="tasks.colour"):
        hide(LAYOUT, seen, ("tasks.colour",))
    with pytest.raises(ValueError, match="weather"):
        hide(LAYOUT, seen, ("weather",))


def test_the_critic_does_not_mind_the_order_of_patients() -> None:
    torch.manual_seed(0)
    critic, sizes = TruthCritic(), (4, 3, 6, 2)
    state = torch.rand(5, 4 * 3 + 3 + 6 * 8 + 2 * 9 + 1)
    swapped = state.clone()
    swapped[:, 15:63] = state[:, 15:63].view(5, 6, 8)[:, [2, 0, 1, 5, 4, 3]].reshape(5, 48)
    assert torch.allclose(critic(sizes, state), critic(sizes, swapped), atol=1e-5)


def test_masked_actions_are_never_taken() -> None:
    rng = np.random.default_rng(0)
    actor = Actor(network(commits=False), LAYOUT, CODEC, 50)
    seen = observations(150).numpy().reshape(50, 3, -1)
    for _ in range(20):
        mask = (rng.random((50, 3, CODEC.n)) < 0.3).astype(np.int8)
        mask[..., -1] = 1
        actions, _ = actor.decide(seen, mask, rng.random(mask.shape))
        assert np.take_along_axis(mask, actions[..., None], -1).all()


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_actions_are_drawn_as_the_policy_says_sharpened_by_its_temperature(temperature: float) -> None:
    rows = 6000
    policy = network(in_turn=False)
    with torch.no_grad():
        policy.patient.weight.mul_(100.0)  # a fresh policy is close to uniform
        policy.others.weight.mul_(100.0)
    seen = observations(3).numpy()[None].repeat(rows, 0)
    mask = np.ones((rows, 3, CODEC.n), np.int8)
    actor = Actor(policy, LAYOUT, CODEC, rows, temperature)
    actions, ((made),) = actor.decide(seen, mask, np.random.default_rng(0).random(mask.shape))
    first = made.row == 0
    arrays = (torch.from_numpy(one[first]) for one in (made.observation, made.mask, made.chosen))
    says = torch.softmax(
        policy(LAYOUT, *arrays, torch.zeros(int(first.sum()), policy.config.hidden))[0] / temperature, -1
    )
    found = np.array([np.bincount(actions[:, robot], minlength=CODEC.n) / rows for robot in made.robot[first]])
    # Hoeffding: each frequency within this of its probability but for one in 10^9, over all of them
    bound = np.sqrt(np.log(2.0 * found.size * 1e9) / (2.0 * rows))
    assert np.abs(found - says.detach().numpy()).max() < bound
    assert says.max() > 3.0 / CODEC.n, "not close to uniform"


def test_a_row_that_starts_anew_forgets_and_the_others_do_not() -> None:
    """Row 0 comes to its next mission while row 1 is in the midst of its own; a policy of that row alone agrees."""
    rng = np.random.default_rng(3)
    both, alone = (LearnedPolicy(network(memory=True, patience=3), LAYOUT, CODEC, "m", 0.0) for _ in range(2))
    mask = np.ones((2, 3, CODEC.n), np.int8)
    for step in range(8):
        seen = observations(6, seed=step).numpy().reshape(2, 3, -1)
        elapsed = LAYOUT.feature(seen, "time", "elapsed")
        elapsed[:] = 0.1
        if step in (0, 5):
            elapsed[: 1 + (step == 0)] = 0.0
        actions = both.act(seen, mask, rng)
        if step >= 5:
            assert (actions[:1] == alone.act(seen[:1], mask[:1], rng)).all()
        if step == 7:
            assert not torch.equal(both._actor._remembered[0], both._actor._remembered[1])
            assert torch.allclose(both._actor._remembered[0], alone._actor._remembered[0], atol=1e-5)


def test_torch_has_its_threads_back_after_a_policy_has_played() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(ValueError, match="in the middle"), one_thread():
            assert torch.get_num_threads() == 1
            raise ValueError("in the middle")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_busy_robots_go_on_unless_they_must_choose() -> None:
    seen = observations(3)
    cut(LAYOUT, seen, "self")[0, 0, SELF_FEATURES.index("busy")] = 1.0
    mask = torch.ones(3, CODEC.n, dtype=torch.int8)
    mask[2, :-1] = 0
    assert deciding(LAYOUT, seen, mask, commits=True).tolist() == [False, True, False]
    assert deciding(LAYOUT, seen, mask, commits=False).tolist() == [True, True, False]


def test_a_waiting_robot_is_asked_again_after_its_patience() -> None:
    actor = Actor(network(patience=4), LAYOUT, CODEC, 1)
    seen = observations(3).numpy()[None]
    mask = np.zeros((1, 3, CODEC.n), np.int8)
    mask[..., [0, 1, -1]] = 1
    uniform = np.zeros(mask.shape)
    uniform[..., -1] = 1.0 - 1e-12  # the draw is so that they wait
    asked_at = [step for step in range(9) if actor.decide(seen, mask, uniform)[1]]
    assert asked_at == [0, 4, 8]


def test_robots_decide_in_turn_and_see_who_was_chosen() -> None:
    asked_now = np.array([[True, False, True], [False, True, True], [False, False, False]])
    turns = rounds(asked_now, in_turn=True)
    assert [(rows.tolist(), robots.tolist()) for rows, robots in turns] == [([0, 1], [0, 1]), ([0, 1], [2, 2])]
    rows, robots = rounds(asked_now, in_turn=False)[0]
    assert list(zip(rows.tolist(), robots.tolist(), strict=True)) == [(0, 0), (0, 2), (1, 1), (1, 2)]
    actor = Actor(network(), LAYOUT, CODEC, 1)
    mask = np.ones((1, 3, CODEC.n), np.int8)
    mask[..., 5:] = 0  # a patient must be chosen
    _, made = actor.decide(observations(3).numpy()[None], mask, np.zeros(mask.shape))
    first, second = made[0].action[0] - 1, made[1]
    assert second.chosen[0, first] == 1.0 and second.chosen.sum() == 1.0


def test_a_policy_file_brings_back_the_same_answers(tmp_path: Path) -> None:
    path, policy = tmp_path / "mine.safetensors", network(width=8, hidden=16, memory=True, without=("team",))
    save_policy(path, policy, {"command": "qdt train"})
    found, card = load_network(path)
    assert found.config == policy.config and card == {"command": "qdt train"}
    assert torch.equal(asked(found, observations(4)), asked(policy, observations(4)))
    assert make_policy(str(path), LAYOUT, CODEC).name == "mine"


@pytest.mark.parametrize("damage", ["absent", "cut", "text", "other"])
def test_files_that_are_no_policy_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "mine.safetensors"
    if damage != "absent":
        save_policy(path, network(), {})
        whole = path.read_bytes()
        other = whole.replace(b"qdt policy 1", b"qdt policy 9")
        path.write_bytes({"cut": whole[:-100], "text": b"hello", "other": other}[damage])
    with pytest.raises(ValueError, match=r"mine\.safetensors"):
        load_network(path)


@pytest.mark.parametrize(
    ("about", "network_part", "words"),
    [
        ("[]", {}, "list"),
        ("{", {}, "Expecting"),
        ("[" * 100_000, {}, "recursion"),
        ({"network": None}, {}, "NoneType"),
        ({"network": ...}, {}, "it has no 'network'"),
        ({"card": ...}, {}, "it has no 'card'"),
        ({"card": 5}, {}, "int"),
        ({"advised": ...}, {}, "it has no 'advised'"),
        ({"advised": 1}, {}, "advised=1 is not allowed"),
        ({}, {"zz": 1}, "zz"),
        ({}, {"without": 5}, "int"),
        ({}, {"without": [5]}, "without="),
        ({}, {"hidden": "x"}, "hidden='x' is not allowed: of type int"),
        ({}, {"memory": 1}, "memory=1 is not allowed: of type bool"),
        ({}, {"width": -1}, "width=-1"),
        ({}, {"hidden": 10**7}, "in their shapes"),
        ({}, {"hidden": 10**30}, ""),
        ({}, {"graph": 10**9}, "graph=1000000000"),
        ({}, {"memory": True}, "weights='memory"),
    ],
)
def test_a_policy_file_that_says_nonsense_is_refused_and_named(
    tmp_path: Path, about: Any, network_part: dict[str, Any], words: str
) -> None:
    """Also one that asks for more memory than there is."""
    path = tmp_path / "mine.safetensors"
    save_policy(path, network(), {})
    if not isinstance(about, str):
        with safe_open(path, "pt") as file:
            said = json.loads(file.metadata()["about"])
        said["network"] |= network_part
        about = json.dumps({name: value for name, value in {**said, **about}.items() if value is not ...})
    save_file(network().state_dict(), path, {"about": about})
    with pytest.raises(
        ValueError, match=rf"policy file '.*mine\.safetensors' is damaged or of another kind: .*{words}"
    ):
        load_network(path)


def test_a_policy_file_without_some_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_policy(path, network(), {})
    with safe_open(path, "pt") as file:
        about = file.metadata()
    weights = network().state_dict()
    weights.pop("eyes.core.bias")
    save_file(weights, path, about)
    with pytest.raises(ValueError, match=r"mine\.safetensors.*weights='eyes\.core\.bias' is not allowed"):
        load_network(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_diverged_is_neither_written_nor_read(tmp_path: Path, value: float) -> None:
    path, broken = tmp_path / "mine.safetensors", network()
    save_policy(path, broken, {})
    whole = path.read_bytes()
    with torch.no_grad():
        broken.others.bias[2] = value
    with pytest.raises(ValueError, match=r"weights='others\.bias' is not allowed: finite numbers"):
        save_policy(path, broken, {})
    assert path.read_bytes() == whole
    with safe_open(path, "pt") as file:
        about = file.metadata()
    save_file(broken.state_dict(), path, about)
    with pytest.raises(ValueError, match=r"mine\.safetensors.*weights='others\.bias' is not allowed: finite numbers"):
        load_network(path)


def test_unknown_policies_and_controls_are_refused() -> None:
    with pytest.raises(ValueError, match="policy='greedy'"):
        make_policy("greedy", LAYOUT, CODEC)
    with pytest.raises(ValueError, match="control"):
        Actor(network(), LAYOUT, ActionCodec("move", 7, 3), 1)
    with pytest.raises(ValueError, match="advice"):
        LearnedPolicy(network(advised=True), LAYOUT, CODEC, "advised")


def test_the_same_seed_plays_the_same_and_rows_do_not_know_each_other() -> None:
    policy = LearnedPolicy(network(), LAYOUT, CODEC, "mine")
    seen = observations(30).numpy().reshape(10, 3, -1)
    start = LAYOUT.blocks["time"].start
    seen[..., start] = 0.0  # the first step of an episode
    mask = np.ones((10, 3, CODEC.n), np.int8)
    one = policy.act(seen, mask, np.random.default_rng(5))
    assert np.array_equal(one, policy.act(seen, mask, np.random.default_rng(5)))
    alone = policy.act(seen[:1], mask[:1], np.random.default_rng(5))
    assert np.array_equal(alone, one[:1])


def test_configs_that_cannot_work_are_named() -> None:
    for name in ("width", "hidden", "patience"):
        with pytest.raises(ValueError, match=name):
            replace(NetworkConfig(), **{name: 0})
