"""The map's codes do not depend on how zones, passages and patients are numbered, nor on room that is empty."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need PyTorch: make setup-all")

from agents.critics import ObservingCritic  # noqa: E402
from agents.graph_networks import MapReader, ZoneCodes  # noqa: E402
from agents.learned import LearnedPolicy  # noqa: E402
from agents.networks import NetworkConfig, TeamPolicy  # noqa: E402
from qdt_env.graph_layout import GraphLayout  # noqa: E402
from qdt_env.spaces import PATIENT_FEATURES, ActionCodec, ObservationLayout  # noqa: E402

ZONES, PATIENTS = 7, 4
EDGES = np.array([(0, 1), (1, 2), (1, 3), (3, 4), (4, 5), (5, 6), (2, 6), (0, 1)])  # two ways from 0 to 1


def layout_for(zones: int = ZONES, passages: int = len(EDGES), patients: int = PATIENTS) -> GraphLayout:
    return GraphLayout(ObservationLayout(patients, 3, 2), zones, passages)


def observed(rows: int = 3) -> dict[str, np.ndarray]:
    """Random observations (B, 1, ...), all patients open, the last one's place unknown."""
    rng, layout = np.random.default_rng(0), layout_for()
    flat = rng.random((rows, 1, layout.blocks["zones"].start)).astype(np.float32)
    tasks = layout.blocks["tasks"]
    flat[..., tasks.start : tasks.stop : len(PATIENT_FEATURES)] = 1.0
    zones = rng.random((rows, 1, ZONES, 6)).astype(np.float32)
    zones[..., -1] = np.eye(ZONES)[rng.integers(0, ZONES, (rows, 1))]
    places = rng.integers(0, ZONES, (rows, 1, PATIENTS))
    places[..., -1] = -1
    return {
        "observation": flat, "zones": zones, "passages": rng.random((rows, 1, len(EDGES), 3)).astype(np.float32),
        "edges": np.repeat(EDGES[None], rows, 0), "patient_zones": places,
    }  # fmt: skip


def logits(network: TeamPolicy, layout: GraphLayout, seen: dict[str, np.ndarray]) -> np.ndarray:
    """(N, A) of a team policy, everything allowed."""
    vector = torch.from_numpy(layout.join(seen)[:, 0])
    rows, n = len(vector), ActionCodec("task", layout.patients, 3).n
    chosen = torch.zeros(rows, layout.patients)
    with torch.no_grad():
        return network(layout, vector, torch.ones(rows, n, dtype=torch.int8), chosen, torch.zeros(rows, 64))[0].numpy()


@pytest.fixture(scope="module")
def network() -> TeamPolicy:
    torch.manual_seed(3)
    policy = TeamPolicy(NetworkConfig(graph=2))
    for last in (policy.patient, policy.others):
        torch.nn.init.normal_(last.weight)  # a fresh policy's logits are all alike
    return policy


def test_renumbered_zones_and_passages_change_nothing(network: TeamPolicy) -> None:
    """Zones in another order, passages in another order and read from their other end."""
    seen, rng = observed(), np.random.default_rng(1)
    new_number, order = rng.permutation(ZONES), rng.permutation(len(EDGES))
    other = dict(seen)
    other["zones"] = seen["zones"][:, :, np.argsort(new_number)]
    other["edges"] = new_number[seen["edges"][:, order, ::-1]]
    other["passages"] = seen["passages"][:, :, order]
    other["patient_zones"] = np.where(seen["patient_zones"] >= 0, new_number[seen["patient_zones"]], -1)
    before, after = (logits(network, layout_for(), one) for one in (seen, other))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
    wrong = dict(other, patient_zones=seen["patient_zones"])
    assert not np.allclose(logits(network, layout_for(), wrong), before, atol=1e-3), "places of patients count"
    assert not np.allclose(logits(network, layout_for(), dict(other, zones=seen["zones"])), before, atol=1e-3)


def test_patients_in_another_order_have_their_logits_in_that_order(network: TeamPolicy) -> None:
    seen, order, layout = observed(), np.array([2, 0, 3, 1]), layout_for()
    other = dict(seen, observation=seen["observation"].copy(), patient_zones=seen["patient_zones"][..., order])
    ObservationLayout.slice(layout, other["observation"], "tasks")[:] = layout.slice(seen["observation"], "tasks")[
        :, :, order
    ]
    before, after = (logits(network, layout, one) for one in (seen, other))
    np.testing.assert_allclose(after[:, 1:5], before[:, 1 + order], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after[:, [0, *range(5, 11)]], before[:, [0, *range(5, 11)]], rtol=1e-4, atol=1e-5)
    assert np.ptp(before[:, 1:5], axis=1).min() > 1e-2


def test_room_for_a_larger_building_changes_nothing(network: TeamPolicy) -> None:
    """The same weights, three empty zones and two absent passages more; what the absent ones hold is not read."""
    seen = observed()
    rows = len(seen["zones"])
    wide = dict(seen)
    wide["zones"] = np.concatenate([seen["zones"], np.zeros((rows, 1, 3, 6), np.float32)], 2)
    wide["passages"] = np.concatenate([seen["passages"], np.ones((rows, 1, 2, 3), np.float32)], 2)
    wide["edges"] = np.concatenate([seen["edges"], np.full((rows, 2, 2), -1)], 1)
    before = logits(network, layout_for(), seen)
    after = logits(network, layout_for(ZONES + 3, len(EDGES) + 2), wide)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def test_a_zone_hears_as_far_as_there_are_rounds() -> None:
    """On a chain, what changes at one end is known k zones further after k rounds and nowhere beyond."""
    chain = torch.tensor([[(z, z + 1) for z in range(5)]])
    zones, ways = torch.zeros(1, 6, 6), torch.zeros(1, 5, 3)
    for rounds in (1, 3):
        torch.manual_seed(rounds)
        net = ZoneCodes(rounds, 32)
        codes = [net(zones + change, ways, chain)[0] for change in (0.0, torch.eye(6)[:, :1] * torch.ones(6))]
        differs = (codes[0] != codes[1]).any(-1)[0]
        assert differs.tolist() == [z <= rounds for z in range(6)]


def test_own_and_patients_places_are_looked_up() -> None:
    torch.manual_seed(0)
    reader = MapReader(2, 8)
    seen = {name: torch.from_numpy(part) for name, part in observed().items()}
    parts = seen["zones"][:, 0], seen["passages"][:, 0], seen["edges"]
    codes, there = reader.codes(*parts)
    places = seen["patient_zones"][:, 0]
    around, at = reader(*parts, torch.arange(3).repeat_interleave(PATIENTS), places.flatten())
    at = at.unflatten(0, (3, PATIENTS))
    here = seen["zones"][:, 0, :, -1].argmax(1)
    assert there.all() and torch.equal(around[:, :8], codes[torch.arange(3), here])
    assert torch.equal(around[:, 8:], codes.amax(1)) and not at[:, -1].any()
    for k in range(PATIENTS - 1):
        assert torch.equal(at[:, k], codes[torch.arange(3), places[:, k]])


def test_without_rounds_nothing_of_a_policy_changes_and_a_flat_layout_is_refused() -> None:
    torch.manual_seed(5)
    flat = TeamPolicy(NetworkConfig())
    torch.manual_seed(5)
    mapped = TeamPolicy(NetworkConfig(graph=1))
    assert not any("map" in name for name in flat.state_dict())
    assert {*mapped.state_dict()} - {*flat.state_dict()} == {n for n in mapped.state_dict() if n.startswith("eyes.map")}
    layout, codec = ObservationLayout(PATIENTS, 3, 2), ActionCodec("task", PATIENTS, 3)
    with pytest.raises(ValueError, match="one trained on the flat observation, or give it a GraphLayout"):
        LearnedPolicy(mapped, layout, codec, "mapped")
    assert (
        LearnedPolicy(mapped, layout_for(), codec, "mapped").graph and not LearnedPolicy(flat, layout, codec, "").graph
    )
    with pytest.raises(ValueError, match="graph=-1 is not allowed: 0 or more rounds"):
        NetworkConfig(graph=-1)


def test_a_critic_that_observes_reads_the_map() -> None:
    torch.manual_seed(1)
    critic, layout, seen = ObservingCritic(NetworkConfig(graph=1)), layout_for(), observed()
    torch.nn.init.ones_(critic.value.weight)  # a fresh critic says 0
    other = dict(seen, passages=1.0 - seen["passages"])
    values = [critic(layout, torch.from_numpy(layout.join(one)[:, 0])) for one in (seen, other)]
    assert values[0].shape == (3,) and (values[0] != values[1]).all()
