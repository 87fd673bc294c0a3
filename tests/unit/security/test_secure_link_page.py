"""The page on the security layer: its example is the one in ``examples``, runs, and prints what the page says."""

import runpy
from pathlib import Path

import pytest

from qdt_env.security.secure_link import SecureLink
from qdt_env.security.wire import HEADER_BYTES, MAX_PAYLOAD_BYTES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "secure_link.md").read_text()
EXAMPLE = ROOT / "examples" / "two_parties.py"


def test_the_example_prints_what_the_page_says(capsys):
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr().out.rstrip() in PAGE


def test_the_page_shows_the_example_which_is_short():
    text = EXAMPLE.read_text().rstrip()
    assert f"```python\n{text}\n```" in PAGE
    assert len(text.splitlines()) <= 40


def test_the_first_lines_of_the_page_run(capsys):
    code = PAGE.split("```python\n")[1].split("```")[0]
    exec(code, {})
    assert capsys.readouterr().out.startswith(("rejected None", "delivered b'fire", "lost None"))


def test_the_store_of_the_page_runs(tmp_path, monkeypatch):
    code = next(block for block in PAGE.split("```python\n") if "lifetime_s=3600" in block).split("```")[0]
    monkeypatch.chdir(tmp_path)
    names = {"material": bytes(64), "now": 5.0}
    exec(code, names)
    assert names["same"] == names["key"]
    names["store"].close()


@pytest.mark.parametrize("fact", [f"| {HEADER_BYTES} | 16 | key id", f"at most {MAX_PAYLOAD_BYTES:,}"])
def test_numbers_of_the_page(fact):
    assert fact in PAGE and SecureLink.__doc__
