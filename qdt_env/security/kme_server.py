"""The HTTPS face of key servers: ETSI GS QKD 014 over FastAPI and uvicorn, with certificates on both sides.

It translates and holds no rule: who may have which key is decided by ``kme``. This is the only module that imports
FastAPI and uvicorn (``pip install 'qdt-env[kme]'``).

uvicorn does not hand the client's certificate to the application. :class:`PeerCertificateProtocol` puts the SAE ID that
the verified certificate names into the state which uvicorn copies into every request of the connection, once per
connection and without touching how requests are read.

A client without certificate is let in to be told so: 401 is the standard's answer, and it comes before anything else is
looked at. A certificate that the authority has not signed, or that has expired, ends the TLS handshake.

There are seats for ``_MOST_CONNECTIONS`` clients, of which those without certificate can take a few; and whoever does
not ask anything within ``_PATIENCE_S`` gives up his.
"""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

from qdt_env.security.certificates import AUTHORITY, certificate_file, key_file
from qdt_env.security.etsi014 import (
    BAD_REQUEST,
    BASE_PATH,
    UNAVAILABLE,
    Etsi014Error,
    KeyRequest,
    key_container,
    key_ids_from_json,
    key_ids_from_query,
)
from qdt_env.security.kme import Kme

MAX_BODY_BYTES = 65_536
_MOST_CONNECTIONS = 128
_MOST_STRANGERS = 16  # connections without certificate; more are closed unheard
_PATIENCE_S = 10.0  # from the beginning of a connection, or the last answer, to the next whole request
_FAREWELL_S = 2  # how long requests under way may take once the server is told to stop
_SECRET = {"Cache-Control": "no-store"}


def sae_id_of(certificate: dict[str, Any] | None) -> str | None:
    """The SAE ID in a verified client certificate, as ``ssl.SSLSocket.getpeercert`` gives it.

    Args:
        certificate: None, or empty, where the client showed none.

    Returns:
        The one common name of the subject; without a common name the one DNS name; None where there is no such one.
    """
    if not certificate:
        return None
    names = [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    if not names:
        names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    return names[0] if len(names) == 1 else None


class PeerCertificateProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with the client's SAE ID in ``scope["state"]["sae_id"]``; it keeps no seat for the silent."""

    app_state: dict[str, Any]
    _patience: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override,unused-ignore]
        """Read the certificate, which TLS has verified by now."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self.app_state = self.app_state | {"sae_id": sae_id_of(tls.getpeercert()) if tls else None}
        self._be_patient()
        if self._is_stranger():
            ours = [each for each in self.connections if isinstance(each, PeerCertificateProtocol)]
            if sum(each._is_stranger() for each in ours) > _MOST_STRANGERS:
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._patience.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._patience.cancel()
        self._be_patient()
        super().on_response_complete()

    def _is_stranger(self) -> bool:
        """Whether the client showed no certificate that names an SAE."""
        return self.app_state["sae_id"] is None

    def _be_patient(self) -> None:
        self._patience = self.loop.call_later(_PATIENCE_S, self._lose_patience)

    def _lose_patience(self) -> None:
        """Hang up on a client who has not asked, or only begun to; without the farewell of TLS, which takes two."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()


def build_app(kme: Kme) -> FastAPI:
    """The methods of the standard for one KME, as an ASGI application.

    It trusts ``scope["state"]["sae_id"]``: serve it by :class:`KmeServer` only.
    """
    app = FastAPI(title=f"KME {kme.here.kme_id}", openapi_url=None)

    @app.get(f"{BASE_PATH}/{{slave}}/status")
    async def status(slave: str, request: Request) -> JSONResponse:
        found = await run_in_threadpool(kme.status, request.state.sae_id, slave)
        return _answer(found.to_json())

    @app.get(f"{BASE_PATH}/{{slave}}/enc_keys")
    @app.post(f"{BASE_PATH}/{{slave}}/enc_keys")
    async def enc_keys(slave: str, request: Request) -> JSONResponse:
        if request.method == "GET":
            wanted = KeyRequest.from_query(request.query_params.multi_items())
        else:
            wanted = KeyRequest.from_json(await _document(request, empty={}))
        keys = await run_in_threadpool(kme.get_key, request.state.sae_id, slave, wanted)
        return _answer(key_container(keys))

    @app.get(f"{BASE_PATH}/{{master}}/dec_keys")
    @app.post(f"{BASE_PATH}/{{master}}/dec_keys")
    async def dec_keys(master: str, request: Request) -> JSONResponse:
        if request.method == "GET":
            ids: tuple[Any, ...] = key_ids_from_query(request.query_params.multi_items())
        else:
            ids = key_ids_from_json(await _document(request, empty=None))
        keys = await run_in_threadpool(kme.get_key_with_ids, request.state.sae_id, master, ids)
        return _answer(key_container(keys))

    @app.exception_handler(Etsi014Error)
    async def refuse(request: Request, error: Etsi014Error) -> JSONResponse:
        return _refusal(error)

    @app.exception_handler(HTTPException)
    async def no_method(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{request.method} {request.url.path:.200}: no method of ETSI GS QKD 014"
        return _refusal(Etsi014Error(error.status_code, message))

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> JSONResponse:
        return _refusal(Etsi014Error(UNAVAILABLE, f"the key server fails: {type(error).__name__}"))

    app.add_middleware(_Authorise, kme=kme)
    return app


class _Authorise:
    """Lets only SAEs that the KME serves reach the application, whatever they ask for."""

    def __init__(self, app: Any, kme: Kme) -> None:
        self._app, self._kme = app, kme

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] == "http":
            try:
                self._kme.authorise(scope.get("state", {}).get("sae_id"))
            except Etsi014Error as error:
                await _refusal(error)(scope, receive, send)
                return
        elif scope["type"] != "lifespan":
            return  # no web sockets
        await self._app(scope, receive, send)


def _answer(document: dict[str, Any]) -> JSONResponse:
    """200, and nothing on the way may keep it."""
    return JSONResponse(document, headers=_SECRET)


def _refusal(error: Etsi014Error) -> JSONResponse:
    """The standard's error answer."""
    return JSONResponse(error.to_json(), error.status, headers=_SECRET)


async def _document(request: Request, empty: Any) -> Any:
    """The JSON document in a body; ``empty`` where there is no body."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise Etsi014Error(BAD_REQUEST, f"body: got more than {MAX_BODY_BYTES} bytes, allowed: as many")
    if not content and empty is not None:
        return empty
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Etsi014Error(BAD_REQUEST, f"Content-Type: got {kind!r:.80}, allowed: application/json")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Etsi014Error(BAD_REQUEST, "body: no JSON") from None


@dataclass(frozen=True)
class TlsFiles:
    """The PEM files of a server.

    Attributes:
        certificate, private_key: its own.
        authority: who signed those of the clients.
    """

    certificate: Path
    private_key: Path
    authority: Path

    @classmethod
    def in_directory(cls, directory: Path, name: str) -> "TlsFiles":
        """As ``certificates.make_certificates`` lays them."""
        return cls(certificate_file(directory, name), key_file(directory, name), certificate_file(directory, AUTHORITY))


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Args:
        host: address or name of this machine.
        port: 0 for any free one.

    Raises:
        OSError: the port is taken or the address is not this machine's; the message says which.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_MOST_CONNECTIONS)
    except (OSError, OverflowError) as error:
        raise OSError(f"cannot listen on {host}, port {port}: {error}") from None


class KmeServer:
    """One KME on one socket.

    Args:
        kme: its rules.
        listener: where it listens, see :func:`listen`; closed when it stops.
        files: certificates and key.

    Raises:
        ssl.SSLError: a file holds no certificate, or the key is another's.
    """

    def __init__(self, kme: Kme, listener: socket.socket, files: TlsFiles) -> None:
        config = uvicorn.Config(
            build_app(kme),
            http=PeerCertificateProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_FAREWELL_S,
            ssl_certfile=files.certificate,
            ssl_keyfile=files.private_key,
            ssl_ca_certs=str(files.authority),
            ssl_cert_reqs=ssl.CERT_OPTIONAL,
        )
        config.load()
        self.kme, self.port = kme, int(listener.getsockname()[1])
        self._server, self._listener = uvicorn.Server(config), listener

    def run(self) -> None:
        """Serve until stopped, or, in the main thread, until the process is interrupted."""
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self._listener.close()

    def stop(self) -> None:
        """Ask :meth:`run`, in another thread, to come to its end."""
        self._server.should_exit = True


def serve_ends(servers: Sequence[KmeServer], ready: Callable[[], None] = lambda: None) -> None:
    """Serve all ends of a link: the first in this thread, which gets the signals, the others in their own.

    Args:
        servers: one per end.
        ready: called when connections are accepted, before the first is answered.
    """

    def run(server: KmeServer) -> None:
        try:
            server.run()
        finally:  # half a link is no link: where one end stops, or fails, all do
            for each in servers:
                each.stop()

    others = [threading.Thread(target=run, args=(server,), name=server.kme.here.kme_id) for server in servers[1:]]
    for thread in others:
        thread.start()
    try:
        ready()
        run(servers[0])
    finally:
        for server in servers:
            server.stop()
        for thread in others:
            thread.join()
