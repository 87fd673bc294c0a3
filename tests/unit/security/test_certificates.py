"""Demonstration certificates: for one purpose each, secret keys secret, and bad ones refused before a server begins."""

import datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from qdt_env.security.certificates import (
    AUTHORITY,
    certificate_file,
    check_certificates,
    key_file,
    make_certificates,
)

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def load(directory, name):
    return x509.load_pem_x509_certificate(certificate_file(directory, name).read_bytes())


def test_every_certificate_is_for_one_purpose_and_signed_by_the_authority(tmp_path):
    files = make_certificates(tmp_path / "c", ["kme-a"], ["alice"], NOW, days=2)
    assert len(files) == 5 and all(path.is_file() for path in files)
    assert (tmp_path / "c").stat().st_mode & 0o077 == 0
    authority = load(tmp_path / "c", AUTHORITY)
    for name, purpose in (("kme-a", ExtendedKeyUsageOID.SERVER_AUTH), ("alice", ExtendedKeyUsageOID.CLIENT_AUTH)):
        certificate = load(tmp_path / "c", name)
        certificate.verify_directly_issued_by(authority)
        assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose]
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        (common,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        assert common.value == name and certificate.not_valid_after_utc == NOW + 2 * DAY
        assert key_file(tmp_path / "c", name).stat().st_mode & 0o077 == 0
    assert not key_file(tmp_path / "c", AUTHORITY).exists(), "nobody can sign any more"


def test_nothing_is_overwritten(tmp_path):
    make_certificates(tmp_path, ["kme-a"], ["alice"], NOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match="name an empty directory"):
        make_certificates(tmp_path, ["kme-c"], ["bob"], NOW)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("servers", "clients", "days", "message"),
    [
        (["a"], ["a"], 1, "got 'a' more than once"),
        ([AUTHORITY], [], 1, "got 'authority' more than once"),
        (["a"], ["../b"], 1, "SAE ID: got '../b'"),
        (["a"], ["b"], 0, "days"),
        (["a"], ["b"], 1e9, "days"),
    ],
)
def test_wrong_wishes_are_refused(tmp_path, servers, clients, days, message):
    with pytest.raises(ValueError, match=message):
        make_certificates(tmp_path / "c", servers, clients, NOW, days)
    assert not (tmp_path / "c").exists()


def test_bad_certificates_are_named_before_a_server_begins(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no directory; make one: qdt kme certificates"):
        check_certificates(tmp_path / "c", ["kme-a"], NOW)
    make_certificates(tmp_path / "c", ["kme-a"], ["alice"], NOW, days=2)
    check_certificates(tmp_path / "c", ["kme-a"], NOW)
    key_file(tmp_path / "c", "alice").rename(tmp_path / "alice.key")
    check_certificates(tmp_path / "c", ["kme-a"], NOW, ["alice"])
    (tmp_path / "alice.key").rename(key_file(tmp_path / "c", "alice"))
    with pytest.raises(FileNotFoundError, match=r"dave.pem is missing; certificates for other applications"):
        check_certificates(tmp_path / "c", ["kme-a"], NOW, ["alice", "dave"])
    for moment in (NOW + 3 * DAY, NOW - DAY):
        with pytest.raises(ValueError, match="is valid from 2026-11-22"):
            check_certificates(tmp_path / "c", ["kme-a"], moment)
    with pytest.raises(FileNotFoundError, match="kme-b.pem is missing"):
        check_certificates(tmp_path / "c", ["kme-b"], NOW)
    for other in (key_file(tmp_path / "c", "alice").read_bytes(), b"no key"):
        key_file(tmp_path / "c", "kme-a").write_bytes(other)
        with pytest.raises(ValueError, match="kme-a.key is not the key of"):
            check_certificates(tmp_path / "c", ["kme-a"], NOW)
    certificate_file(tmp_path / "c", "kme-a").write_text("no certificate")
    with pytest.raises(ValueError, match="holds no certificate"):
        check_certificates(tmp_path / "c", ["kme-a"], NOW)
    key_file(tmp_path / "c", "kme-a").unlink()
    with pytest.raises(FileNotFoundError, match="kme-a.key is missing"):
        check_certificates(tmp_path / "c", ["kme-a"], NOW)
