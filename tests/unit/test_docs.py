"""The docs: every Python snippet runs, every page is in the site's navigation, every link leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OUTSIDE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")  # docs/hooks.py brings them in
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in OUTSIDE)])
# Pages whose snippets another test runs, because it checks what they print or gives them a server.
ELSEWHERE = {
    "docs/evaluation.md": "tests/unit/training/test_evaluation_page.py",
    "docs/key_server.md": "tests/integration/test_kme_http.py",
    "docs/ledger.md": "tests/unit/twin/test_ledger.py",
    "docs/planners.md": "tests/unit/agents/test_planners_page.py",
    "docs/secure_link.md": "tests/unit/security/test_secure_link_page.py",
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def snippets(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


WITH_SNIPPETS = [page for page in PAGES if snippets(page)]


def prose(page: Path) -> str:
    """The page without its code."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


@pytest.mark.parametrize("page", [p for p in WITH_SNIPPETS if name_of(p) not in ELSEWHERE], ids=name_of)
def test_snippets_run_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "snippets"}
    for snippet in snippets(page):
        exec(compile(snippet, name_of(page), "exec"), names)


def test_other_snippets_are_run_where_it_says():
    assert set(ELSEWHERE) <= {name_of(page) for page in WITH_SNIPPETS}
    for page, runner in ELSEWHERE.items():
        text = (ROOT / runner).read_text("utf-8")
        assert Path(page).name in text and re.search(r"exec\(|```python", text), f"{runner} does not run {page}"


def navigation() -> list[str]:
    """The pages of mkdocs.yml, in order."""
    section = (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:\n")[1]
    return re.findall(r": (\S+\.md)$", section, re.MULTILINE)


def test_every_page_is_in_the_navigation_once_and_every_entry_exists():
    listed = navigation()
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} | set(OUTSIDE)
    assert len(set(listed)) == len(listed)
    assert set(listed) == there, f"not in nav: {there - set(listed)}; not there: {set(listed) - there}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "notebooks" / "README.md"], ids=name_of)
def test_links_lead_to_files(page):
    for link in re.findall(r"\]\(([^)#\s]+)", prose(page)):
        if not re.match(r"[a-z]+:", link):
            assert (page.parent / link).exists(), f"{name_of(page)} links to {link}"


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="pip install 'qdt-env[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    api = (tmp_path / "site" / "api" / "index.html").read_text("utf-8")
    assert "keep_dead" in api and "run_missions" in api and (tmp_path / "site" / "index.html").is_file()
