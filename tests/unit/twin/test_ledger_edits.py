"""Attack "ledger edit": whatever is changed in a ledger's file, the audit names the first leaf or head that is bad."""

import hashlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qdt_env.twin.heads import LogHeader, TreeHead
from qdt_env.twin.leaf import Leaf, encode_leaf
from qdt_env.twin.ledger import Audit, Ledger, LedgerError, MlDsaSigner, audit_file, make_signers
from qdt_env.twin.merkle import MerkleTree, leaf_hash

MISSION = bytes(16)
NAMES = ("server", "gateway 0", "gateway 1")
SEED = b"edit" * 8
LEAVES, PERIOD = 130, 50  # heads of 50 and 100 leaves, then 30 without


def leaf_of(step: int) -> Leaf:
    return Leaf(MISSION, step, bytes([step % 6] * 8), reports=((1, hashlib.sha256(bytes([step])).digest()),))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, LogHeader, TreeHead]:
    """The file of a good ledger, its header and its last head."""
    path = tmp_path_factory.mktemp("ledger") / "good.sqlite"
    ledger = Ledger(path, signers=make_signers(NAMES, SEED), period=PERIOD, origin=b"o" * 16)
    for step in range(LEAVES):
        ledger.append(leaf_of(step))
    header, head = ledger.header, ledger.head
    ledger.close(sign=False)
    assert head is not None
    return path.read_bytes(), header, head


@pytest.fixture
def path(written: tuple[bytes, LogHeader, TreeHead], tmp_path: Path) -> Path:
    """A copy of it to attack."""
    copy = tmp_path / "ledger.sqlite"
    copy.write_bytes(written[0])
    return copy


def edit(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """What an attacker does who owns the file: the triggers go first."""
    database = sqlite3.connect(path)
    triggers = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    assert len(triggers) == 6
    for name in triggers:
        database.execute(f"DROP TRIGGER {name}")
    for sql, values in statements:
        database.execute(sql, values)
    database.commit()
    database.close()


def changed(step: int) -> tuple[bytes, bytes]:
    """Another leaf for a step, and its hash."""
    data = encode_leaf(replace(leaf_of(step), verdicts=b"\5" * 8))
    return data, leaf_hash(data)


def first_problem(path: Path, **known: object) -> tuple[str, int | None, str]:
    found = audit_file(path, **known)  # type: ignore[arg-type]
    assert not found
    assert not found.ok
    assert found.problem is not None
    with pytest.raises(LedgerError, match="."):
        found.require()
    return found.problem.kind, found.problem.number, found.problem.message


def root_of(count: int, step: int | None = None) -> bytes:
    """Root of the first leaves, one of them perhaps changed."""
    return MerkleTree(changed(k)[0] if k == step else encode_leaf(leaf_of(k)) for k in range(count)).root()


def test_untouched_it_is_good(path: Path, written: tuple[bytes, LogHeader, TreeHead]) -> None:
    _, header, head = written
    assert head.root == root_of(100)
    found = audit_file(path, log_id=header.log_id, witnessed={100: head.root})
    assert found == Audit(header.log_id, True, LEAVES, 2, 100, 1, None)
    assert not audit_file(path).pinned, "nobody vouched for the keys"


def test_the_store_does_not_edit_by_mistake(path: Path) -> None:
    database = sqlite3.connect(path)
    for sql in (
        "UPDATE leaves SET data = x'00'",
        "DELETE FROM leaves",
        "DELETE FROM heads",
        "UPDATE header SET data = 1",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(sql)
    database.close()


@pytest.mark.parametrize("step", [0, 37, 99, 129])
def test_an_edited_leaf_is_named(path: Path, step: int) -> None:
    edit(path, ("UPDATE leaves SET data = ? WHERE position = ?", (changed(step)[0], step)))
    kind, number, message = first_problem(path)
    assert (kind, number) == ("leaf", step)
    assert f"leaf {step} (step {step} of mission 0000" in message and "is not what was written" in message
    assert audit_file(path).problem.step == step  # type: ignore[union-attr]


@pytest.mark.parametrize(("step", "size"), [(0, 50), (49, 50), (50, 100), (99, 100)])
def test_an_edited_leaf_with_its_hash_breaks_the_next_head(path: Path, step: int, size: int) -> None:
    edit(path, ("UPDATE leaves SET data = ?, hash = ? WHERE position = ?", (*changed(step), step)))
    kind, number, message = first_problem(path)
    assert (kind, number) == ("head", size)
    assert f"signs another history: of leaves {size - 50} to {size - 1} one was changed" in message


@pytest.mark.parametrize("with_hash", [False, True])
def test_reordered_leaves_are_named(path: Path, with_hash: bool) -> None:
    rows = {a: encode_leaf(leaf_of(b)) for a, b in ((60, 61), (61, 60))}
    sql = "UPDATE leaves SET data = ?, hash = ? WHERE position = ?"
    for position, data in rows.items():
        digest = leaf_hash(data) if with_hash else leaf_hash(encode_leaf(leaf_of(position)))
        edit_one = (sql, (data, digest, position))
        edit(path, edit_one) if position == 60 else edit_again(path, edit_one)
    assert first_problem(path)[:2] == ("leaf", 60)
    assert ("does not follow" if with_hash else "is not what was written") in first_problem(path)[2]


def edit_again(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """The triggers are gone already."""
    database = sqlite3.connect(path)
    for sql, values in statements:
        database.execute(sql, values)
    database.commit()
    database.close()


def test_a_dropped_leaf_is_missed(path: Path) -> None:
    edit(path, ("DELETE FROM leaves WHERE position = 20", ()))
    assert first_problem(path) == ("leaf", 20, "leaf 20 (after step 19) is missing")


def test_a_dropped_leaf_is_missed_when_the_rest_moves_up(path: Path) -> None:
    edit(
        path,
        ("DELETE FROM leaves WHERE position = 20", ()),
        ("UPDATE leaves SET position = -position WHERE position > 20", ()),
        ("UPDATE leaves SET position = -position - 1 WHERE position < 0", ()),
    )
    kind, number, message = first_problem(path)
    assert (kind, number) == ("leaf", 20) and "does not follow: its mission was at step 19" in message


def test_an_inserted_leaf_of_another_mission_breaks_the_next_head(path: Path) -> None:
    data = encode_leaf(Leaf(b"another mission!", 0))
    edit(
        path,
        ("UPDATE leaves SET position = -position WHERE position >= 70", ()),
        ("UPDATE leaves SET position = 1 - position WHERE position < 0", ()),
        ("INSERT INTO leaves VALUES (70, ?, ?)", (data, leaf_hash(data))),
    )
    kind, number, message = first_problem(path)
    assert (kind, number) == ("head", 100) and "signs another history" in message


@pytest.mark.parametrize("kept", [60, 99])
def test_a_history_cut_below_a_signed_head_is_found(path: Path, kept: int) -> None:
    edit(path, ("DELETE FROM leaves WHERE position >= ?", (kept,)))
    kind, number, message = first_problem(path)
    assert (kind, number) == ("head", 100) and f"has no place: the ledger holds {kept} leaves" in message


def test_a_missing_head_is_found(path: Path) -> None:
    edit(path, ("DELETE FROM heads WHERE size = 50", ()))
    assert first_problem(path) == ("head", 50, "the head of 50 leaves (after step 49) is missing")
    edit_again(path, ("DELETE FROM heads", ()))
    assert first_problem(path)[:2] == ("head", 50)


def test_rolled_back_to_an_earlier_head_it_agrees_with_itself_but_not_with_a_kept_head(
    path: Path, written: tuple[bytes, LogHeader, TreeHead]
) -> None:
    edit(path, ("DELETE FROM leaves WHERE position >= 70", ()), ("DELETE FROM heads WHERE size = 100", ()))
    assert audit_file(path).ok, "the file alone cannot show it"
    kind, number, message = first_problem(path, witnessed={100: written[2].root})
    assert (kind, number) == ("witness", 100) and "the ledger holds 70: rolled back" in message


def test_leaves_without_a_head_can_be_rewritten_unless_a_head_was_kept(path: Path) -> None:
    edit(path, ("UPDATE leaves SET data = ?, hash = ? WHERE position = 120", changed(120)))
    found = audit_file(path)
    assert (found.ok, found.leaves, found.signed) == (True, 130, 100), "the audit says how far the signatures reach"
    kind, number, message = first_problem(path, witnessed={125: root_of(125)})
    assert (kind, number) == ("witness", 125) and "the history was rewritten" in message
    assert audit_file(path, witnessed={125: root_of(125, 120)}).witnessed == 1


def signed(header: LogHeader, signer: MlDsaSigner, head: TreeHead) -> tuple[str, tuple[object, ...]]:
    """A statement that stores a head under a signature."""
    head = replace(head, signer=signer.name)
    values = (head.root, head.step, signer.name, signer.sign(head.message(header)), head.size)
    return "UPDATE heads SET root = ?, step = ?, signer = ?, signature = ? WHERE size = ?", values


def test_forged_heads_are_named(path: Path, written: tuple[bytes, LogHeader, TreeHead]) -> None:
    _, header, head = written
    server, gateway, _ = make_signers(NAMES, SEED)
    rewritten = replace(head, root=root_of(100, 70))
    update = ("UPDATE leaves SET data = ?, hash = ? WHERE position = 70", changed(70))
    elsewhere = replace(header, origin=b"x" * 16)
    edit(path, update)
    cases = [
        (("UPDATE heads SET root = ? WHERE size = 100", (rewritten.root,)), "the signature of 'gateway 0' is not good"),
        (signed(header, MlDsaSigner("gateway 0"), rewritten), "the signature of 'gateway 0' is not good"),
        (signed(header, MlDsaSigner("mallory"), rewritten), "'mallory' is no validator of this ledger"),
        (signed(header, server, rewritten), "is signed by 'server', but it is the turn of 'gateway 0'"),
        (signed(elsewhere, gateway, rewritten), "the signature of 'gateway 0' is not good"),
        (signed(header, gateway, replace(rewritten, step=98)), "is stamped 98, but its last leaf is step 99"),
        (("UPDATE heads SET root = ? WHERE size = 100", ("text",)), "root is no bytes"),
        (("UPDATE heads SET root = ? WHERE size = 100", (b"short",)), "a root of 5 bytes"),
        (("UPDATE heads SET signature = ? WHERE size = 100", (1.5,)), "signature is no bytes"),
    ]
    for statement, words in cases:
        edit_again(path, statement)
        kind, number, message = first_problem(path)
        assert (kind, number) == ("head", 100) and words in message
    edit_again(path, signed(header, gateway, rewritten))
    assert audit_file(path).ok, "with the validator's own key it can be done"
    assert first_problem(path, witnessed={100: head.root})[:2] == ("witness", 100), "but not past a kept head"


def test_a_whole_ledger_under_other_keys_is_known_by_its_id(
    tmp_path: Path, written: tuple[bytes, LogHeader, TreeHead]
) -> None:
    path = tmp_path / "mine.sqlite"
    with Ledger(path, signers=make_signers(NAMES), period=PERIOD, origin=b"o" * 16) as ledger:
        for step in range(LEAVES):
            ledger.append(leaf_of(step))
    assert audit_file(path).ok and not audit_file(path).pinned
    kind, _, message = first_problem(path, log_id=written[1].log_id)
    assert kind == "header" and "this is ledger" in message


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE header SET data = x'00'", "header"),
        ("UPDATE header SET data = 'text'", "header"),
        ("DELETE FROM header", "header"),
        ("UPDATE leaves SET data = 'text' WHERE position = 3", "leaf"),
        ("UPDATE leaves SET data = x'514c' WHERE position = 3", "leaf"),
        ("UPDATE leaves SET data = 3.5 WHERE position = 3", "leaf"),
        ("UPDATE leaves SET hash = 'text' WHERE position = 3", "leaf"),
        ("UPDATE leaves SET position = -1 WHERE position = 3", "leaf"),
        ("UPDATE heads SET size = 0 WHERE size = 50", "head"),
        ("UPDATE heads SET size = 51 WHERE size = 50", "head"),
        ("UPDATE heads SET step = -5 WHERE size = 50", "head"),
        ("UPDATE heads SET signer = x'00' WHERE size = 50", "head"),
        ("ALTER TABLE leaves RENAME COLUMN hash TO gone", "file"),
        ("ALTER TABLE heads RENAME COLUMN root TO gone", "file"),
    ],
)
def test_odd_rows_are_problems_and_not_crashes(path: Path, statement: str, kind: str) -> None:
    edit(path, (statement, ()))
    assert first_problem(path)[0] == kind
    if kind != "head":  # opening it reads all leaves, but only the last head
        with pytest.raises(LedgerError):
            Ledger(path, signers=make_signers(NAMES, SEED))


def test_a_value_that_fills_the_memory_is_not_made(path: Path) -> None:
    """A leaf that SQLite is to compute, of 900 MB, in a file of a few kilobytes."""
    edit(
        path,
        ("DROP TABLE leaves", ()),
        ("CREATE TABLE leaves (position INTEGER PRIMARY KEY, data AS (zeroblob(900000000)), hash BLOB)", ()),
        ("INSERT INTO leaves VALUES (0, x'00')", ()),
    )
    kind, _, message = first_problem(path)
    assert kind == "file" and "too big" in message


def test_names_and_texts_that_are_no_utf_8_are_found(path: Path) -> None:
    edit(path, ("UPDATE leaves SET data = CAST(x'C5C5' AS TEXT) WHERE position = 7", ()))
    assert first_problem(path)[0] == "file"
    path.write_bytes(path.read_bytes().replace(b"tableleaves", b"table\xc5eaves"))
    with pytest.raises(LedgerError, match="names that are no text"):
        audit_file(path)


def test_an_edited_ledger_is_not_gone_on_with(path: Path) -> None:
    edit(path, ("UPDATE leaves SET data = ?, hash = ? WHERE position = 70", changed(70)))
    with pytest.raises(LedgerError, match="the head of 100 leaves does not fit the leaves: audit this ledger"):
        Ledger(path, signers=make_signers(NAMES, SEED))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_no_flipped_bit_of_the_file_goes_unnoticed(
    written: tuple[bytes, LogHeader, TreeHead], tmp_path: Path, draw: st.DataObject
) -> None:
    """Either the rows are what they were (SQLite has slack), or the audit finds the change, or it is no ledger."""
    content, header, head = written
    flipped = bytearray(content)
    for _ in range(draw.draw(st.integers(1, 3))):
        flipped[draw.draw(st.integers(0, len(content) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    path = tmp_path / "flipped.sqlite"
    path.write_bytes(flipped)
    try:
        found = audit_file(path, log_id=header.log_id, witnessed={LEAVES: root_of(LEAVES), 100: head.root})
    except LedgerError:
        return
    assert not found or (found.leaves, found.heads, found.witnessed) == (LEAVES, 2, 2)
