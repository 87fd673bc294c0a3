"""``qdt kme``: certificates, and one clear line for everything that a server cannot begin with."""

import datetime
import socket
import sys

import pytest

from qdt_env.security.certificates import certificate_file, key_file, make_certificates
from qdt_env.security.reserved_keystore import ReservedKeyStore
from training.cli import kme
from training.cli.main import main


@pytest.fixture
def directory(tmp_path):
    assert main(["kme", "certificates", str(tmp_path / "c")]) == 0
    return tmp_path / "c"


@pytest.fixture(autouse=True)
def _never_serves(monkeypatch):
    def serve(*_):
        raise AssertionError("it began to serve")

    monkeypatch.setattr(kme, "_serve", serve)


def mistake(capsys, directory, *arguments):
    store = directory.parent / "keys.sqlite"
    given = ["kme", "serve", "--store", str(store), "--certificates", str(directory), "--port", "0", *arguments]
    capsys.readouterr()
    assert main(given) == 2
    return " ".join(capsys.readouterr().err.split())


def test_certificates_for_both_ends(tmp_path, capsys):
    report = tmp_path / "r.json"
    wished = ["--sae-a", "r1", "--sae-a", "r2", "--sae-b", "server", "--days", "2", "--json", str(report)]
    assert main(["kme", "certificates", str(tmp_path / "c"), *wished]) == 0
    assert "11 files, valid for 2 days" in capsys.readouterr().out
    assert all(certificate_file(tmp_path / "c", name).is_file() for name in ("kme-a", "kme-b", "r1", "r2", "server"))
    assert main(["kme", "certificates", str(tmp_path / "c")]) == 2
    assert "is there already: name an empty directory" in " ".join(capsys.readouterr().err.split())


def test_directories_and_certificates_that_do_not_serve(directory, capsys):
    assert "make one: qdt kme certificates" in mistake(capsys, directory.parent / "none")
    key = key_file(directory, "kme-b")
    key.rename(directory / "kept")
    assert "kme-b.key is missing" in mistake(capsys, directory)
    (directory / "kept").rename(key)
    old = directory.parent / "old"
    make_certificates(old, ["kme-a", "kme-b"], ["alice"], datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), days=1)
    assert "authority.pem is valid from 2019-12-31" in mistake(capsys, old)


def test_a_taken_port_and_a_key_of_another(directory, capsys):
    pytest.importorskip("fastapi")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = mistake(capsys, directory, "--host", "127.0.0.1", "--port", port)
    assert f"cannot listen on 127.0.0.1, port {port}" in said and "in use" in said
    key_file(directory, "kme-a").write_bytes(key_file(directory, "kme-b").read_bytes())
    assert "kme-a.key is not the key of" in mistake(capsys, directory)


def test_stores_that_do_not_serve(directory, capsys):
    path = directory.parent / "keys.sqlite"
    held = ReservedKeyStore(path)
    assert "held by another process" in mistake(capsys, directory)
    held.close()
    path.unlink()
    path.write_bytes(b"not a database " * 100)
    assert "keys.sqlite is no key store" in mistake(capsys, directory)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "65535"], "--port"),
        (["--intercept", "2"], "--intercept"),
        (["--loss", "60", "--preset", "rusca2018"], "at most an hour per block"),
        (["--preset", "x"], "preset: got 'x'"),
        (["--capacity", "64"], "--capacity"),
        (["--capacity", "8001"], "capacity_bits"),
        (["--lifetime", "0"], "lifetime_s"),
        (["--sae-b", "alice"], "SAE ID: got 'alice' more than once"),
        (["--sae-a", "kme-a"], "SAE ID: got 'kme-a' more than once"),
        (["--sae-a", "authority"], "SAE ID: got 'authority' more than once"),
        (["--sae-a", "a b"], "SAE ID: got 'a b'"),
        (["--sae-a", "dave"], "dave.pem is missing; certificates for other applications: qdt kme certificates"),
    ],
)
def test_wrong_options_are_named(directory, capsys, arguments, message):
    assert message in mistake(capsys, directory, *arguments)


def test_an_application_nobody_could_be_is_refused_before_the_store_is_made(directory, capsys):
    mistake(capsys, directory, "--sae-a", "dave")
    assert not (directory.parent / "keys.sqlite").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sae-a", "../x"], "SAE ID: got '../x', allowed: 1 .. 64 letters"),
        (["--sae-b", "a/b"], "SAE ID: got 'a/b'"),
        (["--sae-a", ""], "SAE ID: got ''"),
        (["--days", "1e9"], "days: got 1e+09, allowed: more than 0, at most 36500"),
        (["--days", "nan"], "days: got nan"),
    ],
)
def test_wrong_wishes_leave_nothing_behind(tmp_path, capsys, arguments, message):
    assert main(["kme", "certificates", str(tmp_path / "c"), *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_without_fastapi_it_says_what_to_install(directory, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "qdt_env.security.kme_server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'qdt-env[kme]'" in mistake(capsys, directory)
