"""The ledger: appending, signing, proving, reopening; what is refused at once. Edits are in test_ledger_edits.py."""

import hashlib
import hmac
import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from qdt_env.twin.heads import LogHeader
from qdt_env.twin.leaf import decode_leaf, encode_leaf
from qdt_env.twin.ledger import (
    ConsistencyProof,
    InclusionProof,
    Leaf,
    Ledger,
    LedgerError,
    MlDsaSigner,
    ProofError,
    SignatureScheme,
    audit_file,
    make_signers,
)

MISSION, OTHER = bytes(range(16)), bytes(range(100, 116))
NAMES = ("server", "gateway 0", "gateway 1")


class Stamp:
    """A quick stand-in for a signer: its "public key" is the key of a MAC."""

    def __init__(self, name: str) -> None:
        self.name, self.public_key = name, name.encode() * 2

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self.public_key, message, "sha256")


STAMPS = SignatureScheme(
    "stamp", lambda key, message, given: hmac.compare_digest(hmac.digest(key, message, "sha256"), given)
)


def digest(k: int) -> bytes:
    return hashlib.sha256(str(k).encode()).digest()


def leaf_of(step: int, mission: bytes = MISSION) -> Leaf:
    return Leaf(
        mission,
        step,
        verdicts=bytes([step % 6, 0, 3, 1]),
        reports=((0, digest(step)), (2, digest(step + 1))),
        views=((1, digest(-step)),) if step % 2 else (),
        trust=((step % 5, 0.25),) if step % 3 == 0 else (),
        advice=digest(9) if step % 7 == 0 else b"",
    )


def stamped(path: Path | None = None, **options: object) -> Ledger:
    options = {"signers": [Stamp(name) for name in NAMES], "scheme": STAMPS, "origin": b"o" * 16} | options
    return Ledger(path, **options)  # type: ignore[arg-type]


def filled(path: Path | None, steps: int, **options: object) -> Ledger:
    ledger = stamped(path, **options)
    for step in range(steps):
        assert ledger.append(leaf_of(step)) == step
    return ledger


def test_every_field_of_a_leaf_comes_back() -> None:
    for step in range(30):
        data = encode_leaf(leaf_of(step))
        assert decode_leaf(data) == leaf_of(step)
        assert len(data) == 32 + 4 + 34 * (2 + step % 2) + 6 * (step % 3 == 0) + 32 * (step % 7 == 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mission": b"short"}, "mission=b'short' is not allowed: 16 bytes"),
        ({"step": -1}, "step=-1"),
        ({"step": 2**32}, "step=4294967296 is not allowed: 0 to 4294967295"),
        ({"verdicts": bytes(65536)}, "verdicts=65536"),
        ({"reports": ((1, digest(1)), (1, digest(2)))}, "reports=.* is not allowed: ascending links"),
        ({"reports": ((2, digest(1)), (1, digest(2)))}, "reports="),
        ({"views": ((0, b"1234"),)}, "views="),
        ({"views": ((65536, digest(0)),)}, "views="),
        ({"trust": ((0, 1.5),)}, "trust="),
        ({"trust": ((0, float("nan")),)}, "trust="),
        ({"trust": ((3, 0.5), (2, 0.5))}, "trust="),
        ({"advice": b"x"}, "advice="),
    ],
)
def test_a_malformed_leaf_is_refused(change: dict[str, object], words: str) -> None:
    with stamped() as ledger, pytest.raises(ValueError, match=words):
        ledger.append(replace(leaf_of(0), **change))  # type: ignore[arg-type]
    assert ledger.size == 0


def test_heads_are_signed_every_fifty_leaves_in_turns() -> None:
    with filled(None, 230) as ledger:
        audit = ledger.verify(ledger.header.log_id)
        assert (audit.ok, audit.leaves, audit.heads, audit.signed) == (True, 230, 4, 200)
        signers = [ledger._store.head(size).signer for size in (50, 100, 150, 200)]  # type: ignore[union-attr]
        assert signers == ["server", "gateway 0", "gateway 1", "server"]
        assert ledger.head is not None and ledger.head.step == 199
        ledger.head.check(ledger.header, STAMPS)


def test_ml_dsa_signers() -> None:
    signers = make_signers(NAMES, seed=b"s" * 32)
    again = make_signers(NAMES, seed=b"s" * 32)
    assert [signer.public_key for signer in signers] == [signer.public_key for signer in again]
    assert len({signer.public_key for signer in signers}) == 3
    assert MlDsaSigner("a").public_key != MlDsaSigner("a").public_key, "os.urandom by default"
    with Ledger(signers=signers, period=4) as ledger:
        for step in range(9):
            ledger.append(leaf_of(step))
        assert ledger.verify(ledger.header.log_id).ok
        assert len(ledger.head.signature) == 2420  # type: ignore[union-attr]
        proof = ledger.prove(3)
        assert proof.verify(ledger.header.log_id) == leaf_of(3)
        forged = replace(proof, head=replace(proof.head, step=7 + 1))
        with pytest.raises(LedgerError, match="the signature of 'gateway 0' is not good"):
            forged.verify(ledger.header.log_id)
    with pytest.raises(ValueError, match="seed=3 is not allowed: 32 bytes"):
        make_signers(NAMES, seed=b"abc")


def test_a_proof_is_checked_without_the_ledger() -> None:
    with filled(None, 120) as ledger:
        log_id = ledger.header.log_id
        for step in (0, 49, 50, 99):
            written = json.dumps(ledger.prove(step).to_dict())
            proof = InclusionProof.from_dict(json.loads(written))
            assert proof.verify(log_id, STAMPS) == leaf_of(step)
        with pytest.raises(LedgerError, match="step 100: no head signs leaf 100 yet"):
            ledger.prove(100)
        ledger.sign_head()
        assert ledger.prove(100).verify(log_id, STAMPS) == leaf_of(100)
        with pytest.raises(LedgerError, match="step 120 of mission .* is not in the ledger"):
            ledger.prove(120)


def test_whatever_is_changed_in_a_proof_it_fails() -> None:
    with filled(None, 60) as ledger:
        log_id, proof = ledger.header.log_id, ledger.prove(20)
        other = stamped(origin=b"p" * 16).header
    data = encode_leaf(replace(leaf_of(20), verdicts=b"\0\0\0\0"))
    changes = [
        {"data": data}, {"position": 21}, {"position": -1}, {"path": proof.path[1:]},
        {"path": (*proof.path, digest(0))},
        {"path": (b"x", *proof.path[1:])}, {"head": replace(proof.head, root=digest(0))}, {"header": other},
        {"head": replace(proof.head, size=61)}, {"head": replace(proof.head, signer="gateway 0")},
        {"head": replace(proof.head, signer="nobody")}, {"head": replace(proof.head, step=20)},
        {"head": replace(proof.head, signature=b"")},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises((ProofError, LedgerError)):
            replace(proof, **change).verify(log_id, STAMPS)  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="of ledger .*, not of"):
        proof.verify(digest(0), STAMPS)
    with pytest.raises(LedgerError, match="signed with 'stamp', allowed is ML-DSA-44"):
        proof.verify(log_id)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "no list"}, "'path' is not there, or no list"),
        ({"path": ["zz"]}, "'path' is no hexadecimal text"),
        ({"position": "3"}, "'position'"),
        ({"position": True}, "'position'"),
        ({"head": None}, "'head'"),
        ({"head": {"size": 1}}, "'root'"),
        ({"header": "00"}, "header: is none"),
        ({"data": 7}, "'data'"),
    ],
)
def test_a_malformed_proof_file_is_refused(change: dict[str, object], words: str) -> None:
    with filled(None, 50) as ledger:
        given = ledger.prove(20).to_dict() | change
    with pytest.raises(ProofError, match=words):
        InclusionProof.from_dict(given)
    with pytest.raises(ProofError):
        ConsistencyProof.from_dict(given)


def test_consistency_of_signed_heads_is_proved() -> None:
    with filled(None, 170) as ledger:
        log_id = ledger.header.log_id
        for first, second in ((50, 100), (50, None), (150, 150)):
            proof = ConsistencyProof.from_dict(
                json.loads(json.dumps(ledger.prove_consistency(first, second).to_dict()))
            )
            proof.verify(log_id, STAMPS)
        swapped = replace(proof, first=ledger.prove_consistency(50).first)
        with pytest.raises(ProofError):
            swapped.verify(log_id, STAMPS)
        with pytest.raises(LedgerError, match="no heads of 60 and 100 leaves"):
            ledger.prove_consistency(60, 100)
        with pytest.raises(LedgerError, match="the head of 100 leaves is not before that of 50"):
            ledger.prove_consistency(100, 50)


def test_a_ledger_of_no_or_many_missions_says_so() -> None:
    with stamped() as ledger:
        with pytest.raises(LedgerError, match="mission: must be named, for the ledger holds no mission"):
            ledger.prove(0)
        for k in range(10):
            ledger.append(leaf_of(0, bytes([k] * 16)))
        with pytest.raises(LedgerError, match="07070707 up to step 0 and 2 more"):
            ledger.prove(0)


def test_missions_follow_each_other_or_alternate() -> None:
    with stamped() as ledger:
        for step in range(30):
            ledger.append(leaf_of(step))
            ledger.append(leaf_of(step + 5, OTHER))
        assert ledger.missions == {MISSION: 29, OTHER: 34}
        with pytest.raises(LedgerError, match="step 29 cannot be next: mission .* is at step 29"):
            ledger.append(leaf_of(29))
        with pytest.raises(LedgerError, match="step 31 cannot be next: .* name another or a new file"):
            ledger.append(leaf_of(31))
        ledger.sign_head()
        with pytest.raises(LedgerError, match=f"mission: .* holds {MISSION.hex()} up to step 29, {OTHER.hex()} up"):
            ledger.prove(10)
        with pytest.raises(LedgerError, match=f"is not in the ledger of {MISSION.hex()} up to step 29"):
            ledger.prove(10, bytes(16))
        assert ledger.prove(10, OTHER).verify(ledger.header.log_id, STAMPS) == leaf_of(10, OTHER)
        assert ledger.verify().ok


def test_reopened_it_goes_on_with_the_same_signers_only(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with filled(path, 75) as ledger:
        log_id = ledger.header.log_id
    kept = {75: ledger.head.root}  # type: ignore[union-attr]
    with stamped(path) as ledger:
        assert (ledger.size, ledger.header.log_id) == (75, log_id)
        for step in range(75, 160):
            ledger.append(leaf_of(step))
    found = audit_file(path, log_id=log_id, witnessed=kept, scheme=STAMPS)
    assert (found.ok, found.leaves, found.heads, found.signed, found.witnessed) == (True, 160, 5, 160, 1)
    for signers in ([Stamp("server")], [Stamp(name) for name in reversed(NAMES)]):
        with pytest.raises(LedgerError, match="goes on only with the keys that it names, of server, gateway 0"):
            stamped(path, signers=signers)
    with pytest.raises(LedgerError, match="signed with 'stamp', allowed is ML-DSA-44|goes on only with the keys"):
        Ledger(path)
    reader = Ledger.read(path, scheme=STAMPS)
    assert reader.prove(159).verify(log_id, STAMPS) == leaf_of(159)
    with pytest.raises(LedgerError, match="is closed, or open for reading only"):
        reader.append(leaf_of(160))
    reader.close()


def test_two_writers_of_one_file_are_told_apart(tmp_path: Path) -> None:
    """As a notebook's cell that is run twice makes them."""
    path = tmp_path / "ledger.sqlite"
    first, second = stamped(path), stamped(path)
    for ledger in (first, second):
        ledger.append(leaf_of(0))
    first.close()
    with pytest.raises(LedgerError, match="somebody else has written to it, allowed is one writer at a time"):
        second.close()
    assert audit_file(path, scheme=STAMPS).leaves == 1


def test_leaves_are_on_disk_once_committed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = stamped(path, commit_every=7, synchronous="full")
    counts = []
    for step in range(52):
        ledger.append(leaf_of(step))
        counts.append(audit_file(path, scheme=STAMPS).leaves)
    assert counts[:15] == [0] * 6 + [7] * 7 + [14] * 2
    assert counts[48:] == [49, 50, 50, 50], "a head is committed at once, with its leaves"
    ledger.commit()
    assert audit_file(path, scheme=STAMPS).leaves == 52
    ledger.close(sign=False)
    ledger.close()
    assert audit_file(path, scheme=STAMPS).signed == 50
    with pytest.raises(LedgerError, match="is closed"):
        ledger.append(leaf_of(52))
    assert not ledger.verify(), "what cannot be read is not good"
    with pytest.raises(LedgerError, match="closed database"):
        ledger.verify().require()


class Busy(Stamp):
    """A signer that fails when told to, once."""

    fails = False

    def sign(self, message: bytes) -> bytes:
        if self.fails:
            self.fails = False
            raise LedgerError("busy")
        return super().sign(message)


def test_a_head_that_failed_once_is_signed_before_the_next_leaf(tmp_path: Path) -> None:
    path, signer = tmp_path / "ledger.sqlite", Busy("server")
    with stamped(path, signers=[signer], period=5) as ledger:
        for step in range(12):
            signer.fails = step == 4
            if signer.fails:
                with pytest.raises(LedgerError, match="busy"):
                    ledger.append(leaf_of(step))
            else:
                ledger.append(leaf_of(step))
    found = audit_file(path, scheme=STAMPS)
    assert (found.ok, found.leaves, found.heads) == (True, 12, 3)


def test_a_ledger_locked_at_a_head_has_that_head_later(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with filled(path, 49) as ledger:
        ledger._store._db.execute("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="locked"):
            ledger.append(leaf_of(49))
        other.execute("ROLLBACK")
        other.close()
        ledger.append(leaf_of(50))
    assert audit_file(path, scheme=STAMPS).heads == 2


def test_a_mission_that_died_at_a_head_is_gone_on_with(tmp_path: Path) -> None:
    path, signer = tmp_path / "ledger.sqlite", Busy("server")
    with pytest.raises(LedgerError, match="busy"), stamped(path, signers=[signer], period=5) as ledger:
        for step in range(5):
            signer.fails = step == 4
            ledger.append(leaf_of(step))
    with stamped(path, signers=[signer]) as ledger:
        ledger.append(leaf_of(5))
    found = audit_file(path, scheme=STAMPS)
    assert (found.ok, found.leaves, found.heads) == (True, 6, 2)


def test_export_writes_every_row(tmp_path: Path) -> None:
    with filled(tmp_path / "ledger.sqlite", 120) as ledger:
        lines = ledger.export(tmp_path / "ledger.jsonl")
        rows = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
        assert lines == len(rows) == 123
        assert rows[0]["log_id"] == ledger.header.log_id.hex()
        assert [row["type"] for row in rows[50:53]] == ["leaf", "head", "leaf"]
        assert decode_leaf(bytes.fromhex(rows[1 + 70 + 1]["data"])) == leaf_of(70)
        assert rows[4]["trust"] == {"3": 0.25} and rows[4]["verdicts"] == [3, 0, 3, 1]


def test_a_validator_refuses_a_rewritten_history() -> None:
    """Somebody changes the history of the running server: the next head finds no signature."""
    ledger = filled(None, 70)
    ledger._tree._levels[0][:32] = digest(0)
    ledger._tree._levels[1][:32] = digest(1)
    ledger._tree._levels[5][:32] = digest(2)
    ledger._tree._levels[6][:32] = digest(3)
    with pytest.raises(
        LedgerError, match="'server' refuses the head of 70 leaves: it does not extend the 50 seen before"
    ):
        ledger.sign_head()
    assert ledger.head is not None and ledger.head.size == 50


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to have a header" * 10])
def test_what_is_no_ledger_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="x.sqlite"):
        Ledger.read(path)
    with pytest.raises(LedgerError, match="does not exist"):
        audit_file(tmp_path / "absent.sqlite")
    if content:
        with pytest.raises(LedgerError, match="not a database"):
            Ledger(path)


@pytest.mark.parametrize("root", [True, False])
def test_a_ledger_is_read_where_nothing_can_be_written_and_nothing_is_left_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: bool
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    filled(folder / "ledger.sqlite", 60).close()
    (folder / "ledger.sqlite").chmod(0o444)
    folder.chmod(0o555)
    if not root:  # whom neither mode keeps from writing
        monkeypatch.setattr("os.access", lambda *_: False)
    try:
        assert audit_file(folder / "ledger.sqlite", scheme=STAMPS).leaves == 60
        reader = Ledger.read(folder / "ledger.sqlite", scheme=STAMPS)
        assert reader.prove(59).position == 59
        reader.close()
        assert [path.name for path in folder.iterdir()] == ["ledger.sqlite"]
    finally:
        folder.chmod(0o755)


def test_what_is_only_in_the_write_ahead_file_is_read_too(tmp_path: Path) -> None:
    """A killed process leaves both files; so does a copy of them."""
    with filled(tmp_path / "ledger.sqlite", 60) as ledger:
        ledger.commit()
        for name in ("ledger.sqlite", "ledger.sqlite-wal"):
            shutil.copy(tmp_path / name, tmp_path / name.replace("ledger", "copy"))
        (tmp_path / "link.sqlite").symlink_to(tmp_path / "ledger.sqlite")
        for name in ("copy.sqlite", "link.sqlite"):
            assert audit_file(tmp_path / name, scheme=STAMPS).leaves == 60


def test_a_reader_sees_what_a_writer_adds_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    filled(path, 60).close()
    with Ledger.read(path, scheme=STAMPS) as reader:
        with stamped(path) as writer:
            for step in range(60, 3000):
                writer.append(leaf_of(step))
        assert reader.export(tmp_path / "all.jsonl") > 3000
    assert not list(tmp_path.glob("ledger.sqlite-*"))


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    for opened in (audit_file, Ledger.read, Ledger):
        with pytest.raises(LedgerError, match="is a folder, allowed is a file"):
            opened(tmp_path)
    with pytest.raises(LedgerError, match="needs a folder that can be written"):
        Ledger(tmp_path / "absent" / "ledger.sqlite")


def test_arguments_out_of_range_are_named(tmp_path: Path) -> None:
    for options, words in (
        ({"commit_every": 0}, "commit_every=0"),
        ({"period": 0}, "period=0"),
        ({"synchronous": "off"}, "synchronous='off' is not allowed: normal or full"),
        ({"signers": []}, "signers="),
        ({"signers": [Stamp("a"), Stamp("a")]}, "signers=.*different names"),
        ({"origin": b"x"}, "origin=b'x' is not allowed: 16 bytes"),
    ):
        with pytest.raises(ValueError, match=words):
            stamped(None, **options)
    with stamped() as ledger, pytest.raises(LedgerError, match="no leaves to sign"):
        ledger.sign_head()


def test_a_header_has_one_encoding() -> None:
    header = stamped().header
    data = header.encode()
    assert LogHeader.decode(data) == header
    for at in range(len(data)):
        try:
            assert LogHeader.decode(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]) != header
        except LedgerError:
            pass
        with pytest.raises(LedgerError):
            LogHeader.decode(data[:at])
    with pytest.raises(LedgerError):
        LogHeader.decode(data + b"\0")


def test_the_example_of_the_documentation_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "ledger.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(page.split("```python")[1].split("```")[0], "docs/ledger.md", "exec"), {})
    assert "step=37" in capsys.readouterr().out
    assert audit_file("mission.sqlite").signed == 180
