"""Cards for notebooks: well-formed, escaped, without colours of their own for text, and true."""

from xml.etree import ElementTree

import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.twin.markup import html_card


def words(html: str) -> str:
    return " ".join(text.strip() for text in ElementTree.fromstring(html).itertext() if text.strip())


def test_a_card_is_one_escaped_element_that_takes_the_page_s_colours():
    card = html_card("<b>", {"a&b": "<script>"}, [("robot",), ("0",)], progress=1.7)
    assert words(card) == "<b> a&b <script> robot 0"
    assert "width: 100.0%" in card and "color: inherit" in card
    assert "color: #" not in card.replace("background: #", "")


@pytest.fixture(scope="module")
def env():
    return hospital_rescue_v0.parallel_env(scenario="ward", threats="mixed")


def test_an_environment_tells_what_is_played_and_how_it_stands(env):
    assert "not reset yet" in words(env._repr_html_())
    env.reset(seed=3)
    for _ in range(5):
        env.step({})
    said = words(env._repr_html_())
    assert "hospital_rescue_v0: ward" in said and "step 5 of 180 (00:50)" in said
    assert "suite qkd, threats mixed, channel statistical" in said
    assert f"{env.metrics()['score']:.3f}" in said and said.count("tracked") == 2


def test_a_snapshot_tells_what_the_twin_knows(env):
    env.reset(seed=3)
    twin = env.snapshot()
    said = words(twin._repr_html_())
    assert "what the twin believes" in said and "step 0 of 180" in said
    assert f"{int((twin.patient_status > 0).sum())} listed, 0 seen by somebody" in said
    assert f"of {twin.building.n_zones} seen" in said and "robot kind zone trust" in said
    assert len(twin._repr_html_()) < 6000
