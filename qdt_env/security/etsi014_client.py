"""The application's side of ETSI GS QKD 014: a client for any key server of the standard, and a key source for links.

Nothing but the standard library is needed. Nothing is tried twice: a request whose answer was lost may have cost keys.
"""

import http.client
import json
import ssl
import urllib.parse
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qdt_env.security.etsi014 import (
    BASE_PATH,
    Etsi014Error,
    KeyRequest,
    Status,
    key_ids_document,
    keys_from_container,
)
from qdt_env.security.keystore import Key, KeyUnavailable

_MOST_ANSWER_BYTES = 16 * 2**20
_NO_JSON = ValueError, RecursionError  # what JSON raises that is none, or that is nested too deeply


class Etsi014Client:
    """One SAE, talking to its KME over HTTPS with certificates on both sides. One connection per request.

    Args:
        url: the KME, "https://host:port".
        sae_id: this application's SAE ID, as its certificate says.
        certificate, private_key: PEM files of the application.
        authority: PEM file of the authority that signed the KME's certificate.
        timeout_s: longest wait for an answer, > 0 s.

    Raises:
        ValueError: the address is no https URL.
        OSError: a file is missing or holds no certificate or key (``ssl.SSLError``).
    """

    def __init__(
        self, url: str, sae_id: str, certificate: Path, private_key: Path, authority: Path, timeout_s: float = 10.0
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"url: got {url!r}, allowed: https://host:port")
        self.url, self.sae_id = url.rstrip("/"), sae_id
        self._host, self._port, self._timeout_s = parts.hostname, parts.port or 443, timeout_s
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.load_cert_chain(certificate, private_key)

    def __repr__(self) -> str:
        return f"Etsi014Client({self.url!r}, {self.sae_id!r})"

    def status(self, slave: str) -> Status:
        """Get status: what this application, as master, could get for a slave.

        Raises:
            Etsi014Error: the KME's refusal.
            ConnectionError: no connection, or no answer of the standard.
        """
        return self._read(Status.from_json, self._ask("GET", slave, "status"))

    def get_key(self, slave: str, request: KeyRequest | None = None) -> tuple[Key, ...]:
        """Get key: fresh keys, this application being the master.

        Args:
            slave: SAE ID of whom they are shared with.
            request: by default one key of the KME's default size.

        Raises:
            Etsi014Error: the KME's refusal.
            ConnectionError: no connection, or no answer of the standard.
        """
        document = (request or KeyRequest()).to_json()
        if document.keys() <= {"number", "size"}:
            answer = self._ask("GET", slave, "enc_keys", query=document)
        else:
            answer = self._ask("POST", slave, "enc_keys", body=document)
        return self._read(keys_from_container, answer)

    def get_key_with_ids(self, master: str, ids: Sequence[uuid.UUID]) -> tuple[Key, ...]:
        """Get key with key IDs: the keys that a master took, this application being the slave.

        Args:
            master: SAE ID of who took them.
            ids: one or more, in the order in which the keys are to come.

        Raises:
            Etsi014Error: the KME's refusal.
            ConnectionError: no connection, no answer of the standard, or other keys than those asked for.
        """
        answer = self._ask("POST", master, "dec_keys", body=key_ids_document(ids))
        keys = {key.id: key for key in self._read(keys_from_container, answer)}
        if set(keys) != set(ids):
            raise ConnectionError(f"{self.url}: answers with other keys than those asked for")
        return tuple(keys[key_id] for key_id in ids)

    def _ask(
        self, method: str, peer: str, what: str, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None
    ) -> Any:
        """One request: the document of a good answer."""
        path = f"{BASE_PATH}/{urllib.parse.quote(peer, safe='')}/{what}"
        if query:
            path += "?" + urllib.parse.urlencode(query)
        content = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"} | ({} if content is None else {"Content-Type": "application/json"})
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            text = response.read(_MOST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionError(f"{self.url}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        document = self._read(json.loads, text) if response.status == 200 else _or_text(text)
        if response.status != 200:
            raise Etsi014Error.from_json(response.status, document)
        return document

    def _read(self, reader: Any, document: Any) -> Any:
        """What a good answer holds."""
        try:
            return reader(document)
        except _NO_JSON as error:
            raise ConnectionError(f"{self.url}: answers outside the standard: {error}") from None


def _or_text(text: bytes) -> Any:
    """The document of an error, or its text where it is none."""
    try:
        return json.loads(text)
    except _NO_JSON:
        return text.decode(errors="replace")


class Etsi014KeySource:
    """Key material for a :class:`~qdt_env.security.secure_link.SecureLink` from the KMEs at its two ends.

    ::

        link = SecureLink("alice", "bob", key_source=Etsi014KeySource(alice, bob))

    Every call takes keys as the master at one KME and fetches the same keys by id as the slave at the other.

    Args:
        master, slave: the clients of the two ends.
        number: keys taken at a time, >= 1.
        size_bits: of each, a multiple of 8; None for the KME's default.
    """

    def __init__(
        self, master: Etsi014Client, slave: Etsi014Client, number: int = 16, size_bits: int | None = None
    ) -> None:
        self._master, self._slave = master, slave
        self._request = KeyRequest(number, size_bits)

    def __call__(self, link: int, block: int) -> bytes:
        """The next keys, joined; link and block number are not needed.

        Raises:
            KeyUnavailable: a KME refuses or cannot be reached, or the two give different keys.
        """
        try:
            keys = self._master.get_key(self._slave.sae_id, self._request)
            same = self._slave.get_key_with_ids(self._master.sae_id, [key.id for key in keys])
        except (Etsi014Error, ConnectionError) as error:
            raise KeyUnavailable(f"link {link}: {error}") from error
        if same != keys:
            raise KeyUnavailable(f"link {link}: the two key servers give different keys under the same ids")
        return b"".join(key.secret for key in keys)
