"""Certificates for a demonstration: an authority, two key servers and the applications that they serve.

Not for real use: the authority's private key is thrown away once it has signed, nothing can be revoked, and the keys
lie unencrypted beside the certificates, readable by their owner only.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qdt_env.security.etsi014 import check_names

AUTHORITY = "authority"
_CLOCK_SKEW = datetime.timedelta(minutes=5)
_MOST_DAYS = 36_500


def certificate_file(directory: Path, name: str) -> Path:
    """Where the certificate of ``name`` lies, or of the authority (``AUTHORITY``)."""
    return directory / f"{name}.pem"


def key_file(directory: Path, name: str) -> Path:
    """Where the private key of ``name`` lies."""
    return directory / f"{name}.key"


def make_certificates(
    directory: Path, servers: Sequence[str], clients: Sequence[str], now: datetime.datetime, days: float = 30.0
) -> list[Path]:
    """Write the authority's certificate, and a certificate and a key for each server and client.

    Args:
        directory: made when absent, for its owner only.
        servers: names of key servers; they answer at localhost, 127.0.0.1 and ::1.
        clients: SAE IDs, each the common name of its certificate.
        now: time from which they are valid, with a time zone.
        days: how long, more than 0 and at most a hundred years.

    Returns:
        The files written.

    Raises:
        ValueError: a name that is no SAE ID or is there twice, or a validity out of range; nothing is written then.
        FileExistsError: one of the files is there already; none is written then.
    """
    names = [*servers, *clients]
    check_names([AUTHORITY, *names])
    if not 0 < days <= _MOST_DAYS:
        raise ValueError(f"days: got {days:g}, allowed: more than 0, at most {_MOST_DAYS}")
    files = [certificate_file(directory, AUTHORITY)]
    files += [place(directory, name) for name in names for place in (certificate_file, key_file)]
    for path in files:
        if path.exists():
            raise FileExistsError(f"{path} is there already: name an empty directory")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _Authority(now - _CLOCK_SKEW, now + datetime.timedelta(days=days))
    _write(files[0], _pem(authority.certificate), secret=False)
    for name in names:
        certificate, private = authority.issue(name, is_server=name in servers)
        _write(certificate_file(directory, name), _pem(certificate), secret=False)
        _write(key_file(directory, name), _private_pem(private), secret=True)
    return files


def check_certificates(
    directory: Path, servers: Sequence[str], now: datetime.datetime, clients: Sequence[str] = ()
) -> None:
    """Refuse certificates that servers cannot work with, before they begin.

    Args:
        directory: where they lie.
        servers: names that need a certificate and its key.
        now: time at which they must be valid, with a time zone.
        clients: SAE IDs that need a certificate, or nobody could ask in their names; their keys may lie elsewhere.

    Raises:
        FileNotFoundError: the directory, or a file in it, is missing.
        ValueError: a name that is none or is there twice; a file holds no certificate, or one that is not valid now, or
            a key is another's.
    """
    from cryptography import x509

    if not directory.is_dir():
        raise FileNotFoundError(
            f"certificates: {directory} is no directory; make one: qdt kme certificates {directory}"
        )
    check_names([AUTHORITY, *servers, *clients])
    for name in (AUTHORITY, *servers, *clients):
        path, private = certificate_file(directory, name), key_file(directory, name)
        for needed in (path, private) if name in servers else (path,):
            if not needed.is_file():
                hint = "; certificates for other applications: qdt kme certificates --help" if name in clients else ""
                raise FileNotFoundError(f"certificates: {needed} is missing{hint}")
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except ValueError:
            raise ValueError(f"certificates: {path} holds no certificate (PEM)") from None
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not first <= now <= last:
            raise ValueError(f"certificates: {path} is valid from {first} to {last}, and now it is {now}")
        if name in servers and _public_key(private) != certificate.public_key():
            raise ValueError(f"certificates: {private} is not the key of {path}")


def _public_key(path: Path) -> Any:
    """What belongs to the private key in a file, or None where there is none in it."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(path.read_bytes(), None).public_key()
    except (ValueError, TypeError):
        return None


class _Authority:
    """Signs certificates, and forgets its key when it goes."""

    def __init__(self, first: datetime.datetime, last: datetime.datetime) -> None:
        """An authority whose certificates are valid from ``first`` to ``last``."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        self._validity = first, last
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._name = _subject("qdt demonstration authority")
        constraints = x509.BasicConstraints(ca=True, path_length=0), True
        usage = _key_usage(key_cert_sign=True, crl_sign=True), True
        self.certificate = self._sign(self._name, self._private.public_key(), constraints, usage)

    def issue(self, name: str, is_server: bool) -> tuple[Any, Any]:
        """A certificate for one purpose only, and its private key."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID

        private = ec.generate_private_key(ec.SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        extensions: list[tuple[Any, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_key_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([purpose]), False),
        ]
        if is_server:
            addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
            extensions.append((x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses]), False))
        return self._sign(_subject(name), private.public_key(), *extensions), private

    def _sign(self, subject: Any, public: Any, *extensions: tuple[Any, bool]) -> Any:
        """A certificate with these extensions and the identifiers of both keys."""
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256

        first, last = self._validity
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(first).not_valid_after(last)
        ours = self._private.public_key()
        identifiers = (
            (x509.SubjectKeyIdentifier.from_public_key(public), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(ours), False),
        )
        for extension, critical in (*extensions, *identifiers):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._private, SHA256())


def _subject(common_name: str) -> Any:
    """A distinguished name of one part."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(**allowed: bool) -> Any:
    """What a key may be used for; all that is not named is forbidden."""
    from cryptography import x509

    uses = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{use: allowed.get(use, False) for use in uses})


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return bytes(certificate.public_bytes(Encoding.PEM))


def _private_pem(private: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _write(path: Path, content: bytes, secret: bool) -> None:
    """Write a new file, a secret one for its owner only from the first byte on."""
    path.touch(mode=0o600 if secret else 0o644, exist_ok=False)
    path.write_bytes(content)
