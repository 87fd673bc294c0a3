"""The wire channel inside the environment: real bytes, nothing readable on them, no keys in two places."""

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.security.outcomes import NO_KEY
from qdt_env.twin.codec import encode_view


def wire_env(**kwargs):
    return hospital_rescue_v0.parallel_env(channel="wire", **{"max_cycles": 12, **kwargs})


def tapped(env) -> list[bytes]:
    """Every frame that is on the air from now on."""
    heard: list[bytes] = []
    for link in env._episodes._wire._links[0]:
        link._wiretap = lambda frame, direction: heard.append(frame)
    return heard


@pytest.mark.parametrize("suite", ["qkd", "qkd-otp", "psk"])
def test_no_view_is_readable_on_the_wire(suite: str) -> None:
    env = wire_env(suite=suite)
    env.reset(seed=2)
    heard = tapped(env)
    env.step({})
    twin = env._episodes.state.twin
    view = encode_view(twin.patients[0], twin.passages[0], twin.zones[0], twin.robots[0], 0)
    assert len(heard) >= 6
    for start in range(0, len(view) - 16, 16):
        piece = view[start : start + 16]
        if len(set(piece)) > 4:  # not a run of zeros
            assert all(piece not in frame for frame in heard)


def test_views_are_readable_without_a_cipher() -> None:
    """The search above can find something."""
    env = wire_env(suite="plaintext")
    env.reset(seed=2)
    heard = tapped(env)
    env.step({})
    twin = env._episodes.state.twin
    view = encode_view(twin.patients[0], twin.passages[0], twin.zones[0], twin.robots[0], 0)
    assert any(view in frame for frame in heard)


@pytest.mark.parametrize("suite", ["qkd", "hybrid"])
def test_a_copy_has_no_keys_until_it_is_reset(suite: str) -> None:
    """Under ``hybrid`` the parties have signed by then, with keys that no copy gets."""
    env = wire_env(suite=suite)
    env.reset(seed=2)
    env.step({})
    for twin in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        with pytest.raises(RuntimeError, match="reset"):
            twin.step({})
        twin.reset(seed=2)
        twin.step({})
        assert np.array_equal(twin._episodes.out.observation.shape, env._episodes.out.observation.shape)
    env.step({})


def test_a_forked_process_has_no_keys_until_it_is_reset(in_a_fork: Callable[[Callable[[], object]], str]) -> None:
    """And then none of the bits that the other process has in its stores."""
    env = wire_env()
    env.reset(seed=2)
    env.step({})
    wire = env._episodes._wire
    stores = [store for row in wire._stores for store in row]
    assert any(store.available_bits for store in stores)

    def go_on() -> None:
        env.reset(seed=2)
        env.step({})
        assert not [store for row in wire._stores for store in row if store in stores]

    assert "belongs to process" in in_a_fork(lambda: env.step({}))
    assert in_a_fork(go_on) == ""
    env.step({})


def test_wire_missions_repeat_from_their_seed() -> None:
    seen = []
    for _ in range(2):
        env = wire_env(threats="mixed")
        env.reset(seed=9)
        while env.agents:
            env.step({})
            seen.append(env._episodes.out.observation.copy())
    assert all(np.array_equal(a, b) for a, b in zip(seen[:12], seen[12:], strict=True))


def test_starved_links_send_nothing() -> None:
    env = wire_env(suite="qkd-otp", threats="eavesdrop", max_cycles=40)
    env.reset(seed=1)
    while env.agents:
        env.step({})
    assert (env._episodes.state.channel.outcomes["verdict"][0, :, 0] == NO_KEY).all()


def test_unknown_fidelity_is_refused() -> None:
    with pytest.raises(ValueError, match="channel='radio'"):
        hospital_rescue_v0.parallel_env(channel="radio")
