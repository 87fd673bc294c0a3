"""The replay page in a real browser: load, play, seek, select, filter, and the same numbers as the mission's.

Screenshots go to the folder that the variable QDT_SCREENSHOTS names, to be kept by CI.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import load_scenario, with_horizon
from qdt_env.viewer.playback import Recording, read_recording
from qdt_env.viewer.replay import replay_page
from training.rollout import run_missions

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 780}
READY = "html[data-ready]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mission of the ward under an attack whose forgeries plaintext takes."""
    path = tmp_path_factory.mktemp("ward") / "ward.qdr"
    game = GameConfig("plaintext", "tamper+insider+drop", channel="wire")
    run_missions(load_scenario("ward"), game, "gain", seeds=[9], record=path)
    return path


class Visit:
    """A page that notes what it must not do: errors, and requests to anywhere."""

    def __init__(
        self, browser: Any, recording: Path, *, data: bytes | None = None, at: str = "", **settings: Any
    ) -> None:
        self.html = recording.with_suffix(".html")
        self.html.write_text(replay_page(recording.read_bytes() if data is None else data, recording.name))
        self.context = browser.new_context(**{"viewport": WIDE, "color_scheme": "light", **settings})
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda asked: self.wrong.append(asked.url) if asked.url != self.html.as_uri() else None)
        self.page.goto(self.html.as_uri() + at)
        self.page.wait_for_selector(READY)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def number(self, metric: str) -> float:
        return float(self.page.get_attribute(f'[data-metric="{metric}"]', "data-value"))

    def step(self) -> int:
        return int(self.page.get_attribute("#when", "data-step"))

    def until(self, condition: str) -> None:
        """Wait until an expression is true (the page's policy forbids what Playwright itself waits by: eval)."""
        for _ in range(600):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never so: {condition}")

    def shoot(self, name: str, **settings: Any) -> None:
        folder = os.environ.get("QDT_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png", **settings)

    def close(self) -> None:
        self.context.close()
        assert self.wrong == []


def compare_end(visit: Visit, recording: Recording) -> None:
    """The numbers on the page at the end are the mission's metrics."""
    assert recording.metrics is not None
    visit.page.keyboard.press("End")
    assert visit.step() == recording.steps
    shown = (
        "score",
        "lives_saved",
        "survivors",
        "handed_over",
        "robots_lost",
        "aftershocks",
        "messages_forged",
        "key_bits",
    )
    for metric in shown:
        assert visit.number(metric) == pytest.approx(recording.metrics[metric], rel=1e-12, abs=1e-12), metric
    told = visit.page.eval_on_selector_all(
        "[data-end]", "all => all.map(e => [e.dataset.end, Number(e.dataset.value)])"
    )
    assert dict(told) == recording.metrics


def filter_messages(visit: Visit, recording: Recording) -> None:
    """Chips count what the metrics count, and the list shows what is asked for."""
    assert recording.metrics is not None
    page = visit.page
    page.click("#tab-messages")
    names = {"delivered": "delivered", "lost": "lost", "rejected": "rejected", "forged": "forged", "no-key": "no_key"}
    for verdict, metric in names.items():
        total = int(page.get_attribute(f'[data-verdict="{verdict}"]', "data-total"))
        assert total == recording.metrics[f"messages_{metric}"], verdict
    for verdict in ("delivered", "lost", "rejected", "forged", "no-key", "injected", "delayed"):
        chip = page.locator(f'[data-verdict="{verdict}"]')
        if (chip.get_attribute("aria-pressed") == "true") != (verdict == "lost") and chip.is_enabled():
            chip.click()
    assert int(page.get_attribute("#log-count", "data-count")) == recording.metrics["messages_lost"]
    page.select_option("#log-link", "1")
    up, down = (recording.columns[f"{way}.verdict"][:, 1] for way in ("up", "down"))
    assert int(page.get_attribute("#log-count", "data-count")) == int((up == 1).sum() + (down == 1).sum())
    page.select_option("#log-way", "up")
    assert int(page.get_attribute("#log-count", "data-count")) == int((up == 1).sum())


def test_a_ward_page_is_played_and_asked(browser: Any, ward: Path) -> None:
    recording = read_recording(ward)
    visit = Visit(browser, ward)
    page = visit.page
    assert visit.text("h1") == "ward" and "suite plaintext" in visit.text("#subtitle")
    visit.until("document.querySelector('#badge-ledger').classList.contains('good')")
    assert "chain holds" in visit.text("#badge-chain") and "signed to step 180" in visit.text("#badge-ledger")
    visit.shoot("ward-start")
    assert visit.step() == 0
    for keys, step in ((["ArrowRight"], 1), (["Shift+ArrowRight"], 11), (["ArrowLeft"], 10), (["Home"], 0)):
        for key in keys:
            page.keyboard.press(key)
        assert visit.step() == step
    page.select_option("#speed", "32")
    page.evaluate("document.activeElement.blur()")  # in the select box the space bar has another meaning
    page.keyboard.press("Space")
    visit.until("Number(document.querySelector('#when').dataset.step) > 5")
    page.keyboard.press("Space")
    assert page.get_attribute("#play", "aria-pressed") == "false"
    stood = visit.step()
    assert 5 < stood < 180
    compare_end(visit, recording)
    filter_messages(visit, recording)
    stories(visit, recording)
    visit.shoot("ward-story", full_page=True)
    visit.close()


def stories(visit: Visit, recording: Recording) -> None:
    """A click on a robot, a patient, a zone and a message tells its story, as it was recorded."""
    page, middle = visit.page, 90
    page.fill("#slider", str(middle))
    assert visit.step() == middle
    page.click('.truth [data-robot="1"]')
    assert visit.text("#story h3") == "Robot 1"
    place = recording.header["building"]["zones"]["id"][recording.columns["robot.zone"][middle, 1]]
    assert place in visit.text("#story .facts")
    page.select_option("#find", "patient:0")
    assert visit.text("#story h3") == "Patient 0"
    status = recording.header["names"]["patient_status"][recording.columns["patient.status"][middle, 0]]
    assert status in visit.text("#story .facts")
    page.locator('.twin [data-zone="5"]').dispatch_event("click")
    assert visit.text("#story h3").startswith(recording.header["building"]["zones"]["id"][5])
    forged = int((recording.columns["up.verdict"] == 5).any(axis=1).argmax())
    page.click("#tab-messages")
    page.select_option("#log-link", "-1")
    page.select_option("#log-way", "up")
    page.locator('[data-verdict="lost"]').click()
    page.locator('[data-verdict="forged"]').click()
    page.fill("#slider", str(forged))
    page.locator(".log-row.now button").first.click()
    assert "An attacker's words" in visit.text("#story") and "Report of" in visit.text("#story h3")


def time_lines(visit: Visit) -> list[float]:
    """Where each chart's time line stands: 0 at its left end, 1 at its right."""
    visit.page.wait_for_timeout(200)  # uPlot draws after the page's own script
    places = """all => all.map(line => {
      const [at, plot] = [line, line.parentElement].map(e => e.getBoundingClientRect());
      return (at.left - plot.left) / plot.width;
    })"""
    return list(visit.page.eval_on_selector_all(".now-line", places))


def test_charts_show_the_time_and_say_which_line_is_what(browser: Any, ward: Path) -> None:
    visit = Visit(browser, ward, at="#step=90")
    assert visit.step() == 90 and time_lines(visit) == pytest.approx([0.5, 0.5], abs=0.01)
    visit.page.select_option("#find", "robot:1")  # draws the charts anew
    assert time_lines(visit) == pytest.approx([0.5, 0.5], abs=0.01)
    assert visit.text("#chart-lives .chart-key").split("\n") == ["lives saved", "handed over (right)"]
    assert visit.text("#chart-trust .chart-key").split("\n") == ["robot 0", "robot 1", "robot 2"]
    dashes = visit.page.eval_on_selector_all(
        "#chart-trust .sample path", "all => all.map(e => e.getAttribute('stroke-dasharray'))"
    )
    assert len(set(dashes)) == 3, "told apart without colour"
    visit.close()


def test_the_legend_names_every_passage_and_a_robot_is_chosen_by_keyboard(browser: Any, ward: Path) -> None:
    visit = Visit(browser, ward)
    for condition in ("passage clear", "passage slow", "blocked"):
        assert condition in visit.text("#story .legend")
    robot = visit.page.locator('.truth [data-robot="0"]')
    robot.focus()
    visit.page.keyboard.press("Space")
    assert visit.text("#story h3") == "Robot 0" and visit.page.get_attribute("#play", "aria-pressed") == "false"
    assert robot.evaluate("e => e === document.activeElement"), "it comes to the front and keeps the keyboard"
    visit.close()


def test_a_phone_in_the_dark(browser: Any, ward: Path) -> None:
    visit = Visit(browser, ward, viewport=PHONE, color_scheme="dark")
    page = visit.page
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--scheme').trim()") == "dark"
    page.fill("#slider", "60")
    visit.shoot("ward-phone-dark", full_page=True)
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--scheme').trim()") == "light"
    for tab in ("robots", "messages", "proof", "numbers"):
        page.click(f"#tab-{tab}")
        assert page.evaluate("document.documentElement.scrollWidth") == 360, tab
    nameless = page.eval_on_selector_all(
        "button, select, input, [role=button], [role=img]",
        "all => all.filter(e => e.offsetParent !== null && !(e.ariaLabel || e.getAttribute('aria-label') || e.innerText"
        " || e.labels?.length)).map(e => e.outerHTML.slice(0, 90))",
    )
    assert nameless == []
    visit.close()


@pytest.mark.parametrize("damage", ["altered", "cut", "other"])
def test_what_does_not_hold_is_not_shown_as_true(browser: Any, ward: Path, damage: str) -> None:
    data = bytearray(ward.read_bytes())
    if damage == "altered":
        data[len(data) // 2] ^= 1
    made = {"altered": bytes(data), "cut": bytes(data[: len(data) * 2 // 3]), "other": b"something else"}[damage]
    visit = Visit(browser, ward, data=made)
    if damage == "cut":
        assert "This recording was cut after step" in visit.text("#notice") and visit.page.is_visible("#app")
        assert "cut short" in visit.text("#badge-chain")
        visit.page.keyboard.press("End")
        assert 0 < visit.step() < 180
        visit.shoot("ward-cut")
    else:
        words = "was altered: the" if damage == "altered" else "no recording of version 1"
        assert words in visit.text("#notice") and "not shown" in visit.text("#notice")
        assert not visit.page.is_visible("#app") and not visit.page.is_visible("#player")
    visit.close()


@pytest.mark.slow
def test_a_clinic_page_paints_soon_and_plays_smoothly(browser: Any, clinic_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "clinic.qdr"
    game = GameConfig("qkd", "mixed")
    run_missions(with_horizon(load_scenario(clinic_path), 720), game, "gain", seeds=[7], record=path)
    recording = read_recording(path)
    visit = Visit(browser, path)
    page = visit.page
    assert visit.html.stat().st_size < 5_000_000
    visit.until("performance.getEntriesByName('first-contentful-paint').length > 0")  # it is told after the paint
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    visit.until("!document.querySelector('#badge-ledger').textContent.includes('checking')")
    assert "signed to step 720" in visit.text("#badge-ledger")
    compare_end(visit, recording)
    page.keyboard.press("Home")
    page.evaluate("""() => {
      window.frames_shown = [];
      const note = (now) => { window.frames_shown.push(now); requestAnimationFrame(note); };
      requestAnimationFrame(note);
    }""")
    page.click("#play")
    rates = []
    for _ in range(3):  # the best of three windows: a shared machine is slow for seconds at a time
        page.evaluate("window.frames_shown = []")
        page.wait_for_timeout(3000)
        shown = page.evaluate("window.frames_shown")
        rates.append(1000.0 * (len(shown) - 1) / (shown[-1] - shown[0]))
    page.click("#play")
    rate = max(rates)
    print(f"page {visit.html.stat().st_size / 1e6:.2f} MB, first paint {painted:.0f} ms, {rate:.1f} frames/s")
    visit.shoot("clinic", full_page=True)
    visit.close()
    assert painted < 2000.0
    assert rate >= 30.0
