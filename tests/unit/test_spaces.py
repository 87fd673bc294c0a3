"""Spaces: the layout is a partition of the observation, the codec a numbering of the actions."""

import numpy as np
import pytest

from qdt_env import spaces
from qdt_env.spaces import MOVE_VERBS, SERVICES, ActionCodec, ObservationLayout


@pytest.mark.parametrize(("patients", "slots", "robots"), [(1, 1, 1), (16, 5, 3), (96, 11, 8)])
def test_blocks_are_a_partition(patients: int, slots: int, robots: int) -> None:
    layout = ObservationLayout(patients, slots, robots)
    observation = np.arange(2 * layout.size, dtype=np.float32).reshape(2, layout.size)
    seen = np.concatenate([layout.slice(observation, name).reshape(2, -1) for name in layout.blocks], axis=1)
    np.testing.assert_array_equal(seen, observation)
    rows = {name: block.rows for name, block in layout.blocks.items()}
    assert rows == {
        "self": 1, "passages": slots, "tasks": patients, "services": len(SERVICES), "team": robots - 1, "channel": 1,
        "time": 1,
    }  # fmt: skip


def test_features_are_views_by_name() -> None:
    layout = ObservationLayout(4, 3, 3)
    observation = np.zeros((2, 3, layout.size), np.float32)
    layout.feature(observation, "tasks", "trust")[1, 2, 3] = 0.5
    block = layout.blocks["tasks"]
    offset = block.start + 3 * len(block.features) + block.features.index("trust")
    assert observation[1, 2, offset] == 0.5 and observation.sum() == 0.5
    for block in layout.blocks.values():
        for feature in block.features:
            assert layout.feature(observation, block.name, feature).shape == (2, 3, block.rows)
        assert len(set(block.features)) == len(block.features)


def test_the_record_holds_the_offsets() -> None:
    layout = ObservationLayout(4, 3, 3)
    record = layout.record(actions=11)[0]
    for name, block in layout.blocks.items():
        assert record[name] == block.start
    assert record["size"] == layout.size and record["slots"] == 3 and record["actions"] == 11


def test_unknown_names_list_the_known() -> None:
    layout = ObservationLayout(4, 3, 3)
    observation = np.zeros(layout.size, np.float32)
    with pytest.raises(KeyError, match=r"'nothing'.*self, passages"):
        layout.slice(observation, "nothing")
    with pytest.raises(KeyError, match=r"'nothing'.*possible, travel"):
        layout.feature(observation, "services", "nothing")
    with pytest.raises(KeyError, match="'nowhere'"):
        layout.feature(observation, "nowhere", "travel")


def test_task_actions() -> None:
    codec = ActionCodec("task", patients=4, slots=3)
    assert codec.n == 1 + 4 + len(SERVICES) == len(codec.names)
    assert codec.names[0] == "continue" and codec.names[codec.patient(2)] == "patient 2"
    assert [codec.service(name) for name in SERVICES] == list(range(5, 11))
    assert codec.wait == codec.n - 1 == codec.service("wait")
    assert codec.first_service == 5


def test_move_actions() -> None:
    codec = ActionCodec("move", patients=4, slots=3)
    assert codec.n == 1 + 3 + len(MOVE_VERBS)
    assert codec.names[1:4] == ("passage 0", "passage 1", "passage 2")
    assert codec.service("give kit") == 4 and codec.wait == codec.service("wait") == codec.n - 1
    assert len(set(codec.names)) == codec.n


def test_the_codec_refuses_unknown_names() -> None:
    with pytest.raises(ValueError, match="control='fly'"):
        ActionCodec("fly", 4, 3)
    with pytest.raises(ValueError, match=r"'dance'.*scout"):
        ActionCodec("task", 4, 3).service("dance")


def test_a_patient_slot_that_does_not_exist_is_refused() -> None:
    """Slot 4 of 4 would be the number of another action (scout) and pass unnoticed."""
    with pytest.raises(ValueError, match="4"):
        ActionCodec("task", patients=4, slots=3).patient(4)


def test_service_constants_follow_the_names() -> None:
    numbers = (
        spaces.SCOUT, spaces.KIT, spaces.CLEAR_NEAREST, spaces.RECHARGE_NEAREST, spaces.REFRESH_KEYS, spaces.WAIT,
    )  # fmt: skip
    assert numbers == tuple(range(len(SERVICES)))
