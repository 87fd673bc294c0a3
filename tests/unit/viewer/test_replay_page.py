"""The replay page as a file: built from the sources that lie beside it, and asking nobody for anything."""

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from qdt_env.viewer.replay import PAGE, replay_page
from qdt_env.viewer.symbols import rgb

SOURCES = PAGE.parent


def sources_digest() -> str:
    """SHA-256 of the page's sources, as build.mjs makes it."""
    names = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json"]
    names += [f"src/{path.name}" for path in (SOURCES / "src").iterdir()]
    digest = hashlib.sha256()
    for name in sorted(names):
        text = (SOURCES / name).read_bytes()
        digest.update(f"{name}:{len(text)}\n".encode() + text)
    return digest.hexdigest()


def test_the_committed_page_was_built_from_its_sources() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = re.search(r'<meta name="sources" content="([0-9a-f]{64})">', page)
    assert named, "the page does not name its sources"
    assert named[1] == sources_digest(), "the page's sources have changed: make page, and commit replay.html"


@pytest.mark.slow
def test_node_builds_the_same_page(tmp_path: Path) -> None:
    if not (shutil.which("node") and (SOURCES / "node_modules").is_dir()):
        pytest.skip("Node.js or the page's packages are not here: make page")
    shutil.copytree(SOURCES, tmp_path / "page", symlinks=True)
    subprocess.run(["node", "build.mjs"], cwd=tmp_path / "page", check=True, capture_output=True)
    assert (tmp_path / "page" / "replay.html").read_bytes() == PAGE.read_bytes()


def test_the_page_asks_nobody() -> None:
    page = PAGE.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy and "default-src 'none'" in policy[1] and "connect-src" not in policy[1]
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script
    allowed = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{allowed}'" in policy[1]
    for asking in ("fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "import("):
        assert asking not in script[1], asking
    assert not re.search(r"<(link|script|img|iframe)[^>]+(src|href)=", page)


def luminance(colour: np.ndarray) -> float:
    """Relative luminance of an sRGB colour 0..1 (WCAG 2.2)."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours written "#rrggbb", 1 to 21 (WCAG 2.2)."""
    high, low = sorted((luminance(colour) for colour in rgb((one, other))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_words_and_lines_can_be_read_in_both_themes() -> None:
    style = (SOURCES / "src" / "style.css").read_text(encoding="utf-8")
    themes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", one))
        for one in re.findall(r"^:root[^{]*\{(.*?)\}", style, re.S | re.M)
    ]
    light, dark, dark_by_system = themes
    assert dark == dark_by_system
    for theme in (light, dark):
        grounds = [theme["surface"], theme["raised"]]
        words = [name for name in theme if name.startswith("v-")] + ["ink", "pale-ink", "accent", "good", "warn", "bad"]
        lines = [name for name in theme if name.startswith("line-")] + ["gateway-line"]
        for name, least in [(name, 4.5) for name in words] + [(name, 3.0) for name in lines]:
            assert min(contrast(theme[name], ground) for ground in grounds) >= least, name
        for name in ("good", "warn", "bad"):
            assert contrast(theme[name], theme[f"{name}-ground"]) >= 4.5, name


def test_no_registry_is_named_in_the_sources() -> None:
    lock = (SOURCES / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock and '"integrity"' in lock


def test_licences_of_what_is_bundled_are_in_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    licences = re.search(r'<script type="text/plain" id="licences">(.*?)</script>', page, re.DOTALL)
    assert licences
    for name in ("d3-selection", "d3-zoom", "uplot", "fflate", "@noble/hashes", "@noble/post-quantum"):
        assert re.search(rf"^{name} [0-9.]+ \((MIT|ISC)\)$", licences[1], re.MULTILINE), name


def test_the_recording_is_within_byte_by_byte_and_its_name_is_no_markup() -> None:
    data = bytes(range(256)) * 3
    page = replay_page(data, "a\"><script>alert(1)</script>&'.qdr")
    block = re.search(r'<script type="application/octet-stream" id="recording" data-name="([^"]*)">([^<]*)<', page)
    assert block and base64.b64decode(block[2]) == data
    assert "<" not in block[1] and "alert(1)" in block[1]
