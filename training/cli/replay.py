"""``qdt replay``: a recorded mission as one page that plays it, after its chain and its ledger were checked."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from qdt_env.viewer.playback import History, Recording, check_history, decode
from qdt_env.viewer.recording import RecordingError, scan
from qdt_env.viewer.replay import replay_page
from training.cli.outputs import JsonFile, check_outputs, write_json, writing
from training.cli.report import plain

_BAD = 1  # exit code for a recording that does not hold; mistakes on the command line have 2


def replay(
    file: Annotated[Path, typer.Argument(help="A recording (`qdt run --record`, `parallel_env(record=...)`).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Page to write; the recording's name with .html unless given.")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Make a page that plays a recorded mission; it works from disk and makes no network request.

    The recording's chain and its ledger are checked here and again by the page. A recording that was cut (its writer
    was killed) plays to its last whole step and says so. One that was altered is reported, not played: exit code 1.

    Examples: `qdt replay mission.qdr` · `qdt replay mission.qdr -o mission.html --open`
    """
    page = output or file.with_suffix(".html")
    check_outputs({"--output": page, "--json": json_file}, [file])
    data = file.read_bytes()
    found = scan(data)
    recording, history, problem = None, None, ""
    try:
        recording = decode(found)
        history = check_history(recording)
        problem = history.problem
    except RecordingError as error:
        problem = str(error)
    with writing("--output", page):
        page.write_text(replay_page(data, file.name), encoding="utf-8")
    _say(file, recording, history, problem, page)
    write_json(json_file, "replay", {"file": str(file)}, _results(recording, history, problem, page))
    if open_page:
        webbrowser.open(page.absolute().as_uri())
    if problem:
        raise typer.Exit(_BAD)


def _results(
    recording: Recording | None, history: History | None, problem: str, page: Path
) -> dict[str, str | int | bool | None | dict[str, str | int]]:
    """For --json."""
    return {
        "ok": not problem,
        "problem": problem or None,
        "steps": recording.steps if recording else 0,
        "cut": recording.cut if recording else False,
        "ledger": dict(vars(history)) if history else None,
        "page": str(page),
    }


def _say(file: Path, recording: Recording | None, history: History | None, problem: str, page: Path) -> None:
    """Good or bad, how far it goes, and what the verdict rests on."""
    console = plain()
    if problem or recording is None or history is None:
        console.print(f"{file}: BAD: {problem}", markup=False, style="red")
        console.print(f"Wrote {page}, which reports this and plays nothing", markup=False)
        return
    console.print(f"{file}: good: {recording.steps} steps, every record fits the chain", markup=False, style="green")
    if recording.cut:
        said = f"it was cut after step {recording.steps}: its writer was killed, or the file lost its end"
        console.print(f"{file}: {said}", markup=False, style="yellow")
    if history.log_id:
        said = f"{history.leaves} leaves agree with it, {history.heads} signed heads reach to step {history.signed}"
        console.print(f"ledger {history.log_id}: {said}", markup=False)
    console.print(f"Wrote {page} ({page.stat().st_size / 1e6:.1f} MB)", markup=False)
