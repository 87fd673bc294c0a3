"""``qdt ledger``: verify, prove and export the transparency ledger of a mission."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from qdt_env.records import require, why_no_file
from qdt_env.twin.ledger import (
    ConsistencyProof,
    InclusionProof,
    Ledger,
    LedgerError,
    ProofError,
    audit_file,
)
from training.cli.outputs import JsonFile, check_outputs, write_json, writing
from training.cli.report import plain

app = typer.Typer(
    help="Verify, prove and export the transparency ledger of a mission.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
_BAD = 1  # exit code for a ledger or proof that does not hold; mistakes on the command line have 2
_HASH_BYTES = 32

LedgerFile = Annotated[Path, typer.Argument(help="A ledger (SQLite file).")]
LogId = Annotated[
    str | None, typer.Option("--log-id", help="The ledger's id as you know it from elsewhere: 64 hexadecimal digits.")
]


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A ledger, or a proof that `qdt ledger prove` wrote.")],
    log_id: LogId = None,
    head: Annotated[
        list[str] | None, typer.Option("--head", help="A head that you kept, SIZE:ROOT; any number of them.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Recompute and check a whole ledger, or check a proof; exit code 1 if anything is wrong.

    Without --log-id the public keys are only those that the file itself names, and without --head a ledger rolled
    back to an earlier signed head looks good.

    Examples: `qdt ledger verify mission.sqlite --log-id 3f2a... --head 150:9c41...` · `qdt ledger verify proof.json`
    """
    check_outputs({"--json": json_file}, [file])
    pinned = None if log_id is None else _hexadecimal(log_id, "--log-id")
    kept = dict(_kept_head(text) for text in head or [])
    if _is_proof(file):
        require(not kept, "--head", head, "only for a ledger, not for a proof")
        results = _verify_proof(file, pinned)
    else:
        results = audit_file(file, log_id=pinned, witnessed=kept).to_dict()
    _say_verdict(file, results)
    config = {"file": str(file), "log_id": log_id, "heads": {size: root.hex() for size, root in kept.items()}}
    write_json(json_file, "ledger verify", config, results)
    if not results["ok"]:
        raise typer.Exit(_BAD)


@app.command()
def prove(
    file: LedgerFile,
    step: Annotated[int | None, typer.Option("--step", help="Prove what this step of the mission was.")] = None,
    mission: Annotated[
        str | None, typer.Option("--mission", help="32 hexadecimal digits, where the ledger holds several missions.")
    ] = None,
    since: Annotated[int | None, typer.Option("--since", help="Prove that the head of this size was extended.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Proof to write (JSON).")] = Path("proof.json"),
    json_file: JsonFile = None,
) -> None:
    """Write a proof that can be checked without the ledger: that a step is in it, or that a history only grew.

    Examples: `qdt ledger prove mission.sqlite --step 37 -o step37.json` · `qdt ledger prove mission.sqlite --since 50`
    """
    require((step is None) != (since is None), "--step", (step, since), "either --step or --since")
    check_outputs({"--output": output, "--json": json_file}, [file])
    ledger = Ledger.read(file)
    try:
        if since is not None:
            written = ledger.prove_consistency(since).to_dict()
            said = f"the head of {since} leaves is the beginning of that of {written['second']['size']}"
        else:
            name = None if mission is None else _hexadecimal(mission, "--mission", 16)
            written = ledger.prove(step or 0, name).to_dict()
            said = f"step {step} is leaf {written['position']} of {written['head']['size']} signed"
    finally:
        ledger.close()
    with writing("--output", output):
        output.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    write_json(json_file, "ledger prove", {"file": str(file), "step": step, "since": since}, written)
    plain().print(f"{output}: {said}; ledger id {ledger.header.log_id.hex()}", markup=False)


@app.command()
def export(
    file: LedgerFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write (JSON lines).")] = Path("ledger.jsonl"),
    json_file: JsonFile = None,
) -> None:
    """Write header, leaves and heads as JSON, one a line.

    Examples: `qdt ledger export mission.sqlite` · `qdt ledger export mission.sqlite -o mission.jsonl`
    """
    check_outputs({"--output": output, "--json": json_file}, [file])
    ledger = Ledger.read(file)
    try:
        with writing("--output", output):
            lines = ledger.export(output)
        results = {"lines": lines, "leaves": ledger.size, "log_id": ledger.header.log_id.hex(), "file": str(output)}
    finally:
        ledger.close()
    write_json(json_file, "ledger export", {"file": str(file)}, results)
    plain().print(f"{output}: {lines} lines, {ledger.size} leaves", markup=False)


def _is_proof(file: Path) -> bool:
    """Whether a file holds JSON and not a database."""
    if not file.is_file():
        raise LedgerError(f"{str(file)!r} {why_no_file(file)}")
    with file.open("rb") as opened:
        return opened.read(1) == b"{"


def _verify_proof(file: Path, log_id: bytes | None) -> dict[str, Any]:
    """Check a proof of either kind; the outcome in the words of an audit.

    Raises:
        ProofError: the file is no proof at all.
    """
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProofError(f"{str(file)!r} is no proof: {error}") from None
    kinds: dict[str, type[InclusionProof] | type[ConsistencyProof]] = {
        "inclusion": InclusionProof,
        "consistency": ConsistencyProof,
    }
    kind = given.get("proof")
    if not isinstance(kind, str) or kind not in kinds:
        raise ProofError(f"{str(file)!r} is no proof: its kind is {kind!r}")
    proof = kinds[kind].from_dict(given)
    found: dict[str, Any] = {
        "proof": kind,
        "log_id": proof.header.log_id.hex(),
        "pinned": log_id is not None,
        "ok": True,
        "problem": None,
    }
    try:
        leaf = proof.verify(proof.header.log_id if log_id is None else log_id)
    except (ProofError, LedgerError) as error:
        return found | {"ok": False, "problem": {"message": str(error)}}
    if leaf is not None:
        found |= {"mission": leaf.mission.hex(), "step": leaf.step}
    return found


def _say_verdict(file: Path, results: dict[str, Any]) -> None:
    """Good or bad in one line, and in a second what the verdict rests on."""
    console = plain()
    if not results["ok"]:
        console.print(f"{file}: BAD: {results['problem']['message']}", markup=False, style="red")
        return
    if "leaves" in results:
        said = f"{results['leaves']} leaves, {results['heads']} heads, signed up to leaf {results['signed']}"
        if results["witnessed"]:
            said += f", {results['witnessed']} kept heads found"
    else:
        said = f"the {results['proof']} proof holds"
        if "step" in results:
            said += f" for step {results['step']} of mission {results['mission']}"
    console.print(f"{file}: good: {said}", markup=False, style="green")
    whose = (
        "as given" if results["pinned"] else "from the file itself: compare it with the one you know, or give --log-id"
    )
    console.print(f"ledger id {results['log_id']} ({whose})", markup=False)


def _hexadecimal(text: str, option: str, size: int = _HASH_BYTES) -> bytes:
    """Bytes written in hexadecimal digits."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    require(len(value) == size, option, text, f"{2 * size} hexadecimal digits")
    return value


def _kept_head(text: str) -> tuple[int, bytes]:
    """SIZE:ROOT."""
    size, _, root = text.partition(":")
    require(
        size.isdecimal() and int(size) > 0, "--head", text, "SIZE:ROOT, a number of leaves and 64 hexadecimal digits"
    )
    return int(size), _hexadecimal(root, "--head")
