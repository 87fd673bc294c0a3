"""Key servers over real sockets with TLS on both sides: the standard's answers, to any client."""

import asyncio
import base64
import contextlib
import datetime
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from qdt_env.security import kme_server  # noqa: E402
from qdt_env.security.certificates import AUTHORITY, certificate_file, key_file, make_certificates  # noqa: E402
from qdt_env.security.channel import ChannelConfig  # noqa: E402
from qdt_env.security.etsi014 import Etsi014Error, KeyRequest  # noqa: E402
from qdt_env.security.etsi014_client import Etsi014Client, Etsi014KeySource  # noqa: E402
from qdt_env.security.keystore import KeyUnavailable  # noqa: E402
from qdt_env.security.kme import End, Kme, Limits  # noqa: E402
from qdt_env.security.kme_server import KmeServer, TlsFiles, build_app, listen, sae_id_of, serve_ends  # noqa: E402
from qdt_env.security.reserved_keystore import ReservedKeyStore  # noqa: E402
from qdt_env.security.secure_link import SecureLink  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
A, B = End("kme-a", ("alice",)), End("kme-b", ("bob", "carol"))
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def material(first: int, words: int) -> bytes:
    """Words that occur once, so that a key that is delivered twice shows."""
    return b"".join(i.to_bytes(8, "big") for i in range(first, first + words))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Both ends of a link, served in this process; ``site.store`` is what feeds them."""
    directory = tmp_path_factory.mktemp("kme")
    make_certificates(directory / "c", ["kme-a", "kme-b"], ["alice", "bob", "carol", "mallory"], NOW)
    make_certificates(directory / "old", ["kme-a"], ["alice"], NOW - 3 * DAY, days=1)
    make_certificates(directory / "foreign", ["kme-a"], ["alice"], NOW)
    store = ReservedKeyStore(directory / "keys.sqlite")
    limits = Limits(max_key_per_request=8)
    kmes = Kme(A, B, store, limits, lambda: 0.0), Kme(B, A, store, limits, lambda: 0.0)
    servers = [
        KmeServer(kme, listen("127.0.0.1", 0), TlsFiles.in_directory(directory / "c", kme.here.kme_id)) for kme in kmes
    ]
    thread = threading.Thread(target=serve_ends, args=(servers,))
    thread.start()
    yield SimpleNamespace(directory=directory, store=store, servers=servers, ports=[s.port for s in servers])
    for server in servers:
        server.stop()
    thread.join(20)
    assert not thread.is_alive()
    store.close()


@pytest.fixture(autouse=True)
def _full_store(request):
    """Every test begins with the same stock; words never come again."""
    if "site" in request.fixturenames:
        site = request.getfixturevalue("site")
        site.store.discard()
        _full_store.first = getattr(_full_store, "first", 0) + 1_000
        site.store.add(material(_full_store.first, 128))


def client(site, name: str, end: int) -> Etsi014Client:
    files = site.directory / "c"
    url = f"https://localhost:{site.ports[end]}"
    return Etsi014Client(
        url, name, certificate_file(files, name), key_file(files, name), certificate_file(files, AUTHORITY)
    )


def ask(site, name, end, method, path, body=None, headers=None, certificates="c"):
    """One raw request: (status, document). ``name`` None: without certificate."""
    tls = ssl.create_default_context(cafile=str(certificate_file(site.directory / "c", AUTHORITY)))
    if name is not None:
        tls.load_cert_chain(
            certificate_file(site.directory / certificates, name), key_file(site.directory / certificates, name)
        )
    connection = http.client.HTTPSConnection("localhost", site.ports[end], context=tls, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        assert response.getheader("Cache-Control") == "no-store"
        assert response.getheader("Content-Type") == "application/json"
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def refused(status, call, *arguments):
    with pytest.raises(Etsi014Error) as refusal:
        call(*arguments)
    assert refusal.value.status == status, refusal.value
    return refusal.value.message


def test_both_sides_get_the_same_keys_by_id(site):
    alice, bob, carol = client(site, "alice", 0), client(site, "bob", 1), client(site, "carol", 1)
    assert alice.status("bob").stored_key_count == 32
    keys = alice.get_key("bob", KeyRequest(2, 128, ("carol",)))
    ids = [key.id for key in keys]
    assert bob.get_key_with_ids("alice", ids) == keys == carol.get_key_with_ids("alice", ids)
    assert [len(key.secret) for key in keys] == [16, 16] and bob.status("alice").source_KME_ID == "kme-b"


def test_the_errors_of_the_standard(site):
    alice, bob, carol = client(site, "alice", 0), client(site, "bob", 1), client(site, "carol", 1)
    (key,) = alice.get_key("bob")
    assert "no slave for whom" in refused(401, carol.get_key_with_ids, "alice", [key.id])
    bob.get_key_with_ids("alice", [key.id])
    assert "not found on KME" in refused(400, bob.get_key_with_ids, "alice", [key.id])
    assert "not found on KME" in refused(400, bob.get_key_with_ids, "alice", [uuid.uuid4()])
    assert refused(400, alice.get_key, "bob", KeyRequest(1, 129)) == "size shall be a multiple of 8"
    assert "number: got 9" in refused(400, alice.get_key, "bob", KeyRequest(9))
    assert "extension_mandatory" in refused(400, alice.get_key, "bob", KeyRequest(extension_mandatory=({"a": 1},)))
    assert "does not serve the SAE 'mallory'" in refused(401, client(site, "mallory", 0).status, "bob")
    assert "does not serve the SAE 'alice'" in refused(401, client(site, "alice", 1).get_key, "bob")
    assert "kme-b serves" in refused(400, alice.status, "mallory")
    for _ in range(3):
        alice.get_key("bob", KeyRequest(8))
    assert "not enough key material" in refused(503, alice.get_key, "bob", KeyRequest(8))
    assert len(alice.get_key("bob", KeyRequest(7))) == 7, "what is there can still be had"


@pytest.mark.parametrize("path", ["/api/v1/keys/bob/enc_keys", "/api/v1/keys/bob/status", "/docs", "/"])
def test_without_a_certificate_everything_is_401(site, path):
    status, document = ask(site, None, 0, "GET", path)
    assert status == 401 and "no client certificate" in document["message"]
    assert site.store.available_bits == 8_192


@pytest.mark.parametrize(("certificates", "name"), [("old", "alice"), ("foreign", "alice"), ("c", "kme-b")])
def test_a_certificate_that_does_not_verify_ends_the_handshake(site, certificates, name):
    """Expired, of another authority, or one for servers."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(site, name, 0, "GET", "/api/v1/keys/bob/status", certificates=certificates)


def is_open(connection: ssl.SSLSocket) -> bool:
    """Whether the server has left a connection open so far; reads what there is."""
    connection.settimeout(0.05)
    try:
        while connection.recv(65_536):
            pass
        return False
    except TimeoutError:
        return True
    except OSError:
        return False


@pytest.fixture
def opened(site):
    """Opens connections that are closed after the test."""
    with contextlib.ExitStack() as stack:

        def connect(context: ssl.SSLContext) -> ssl.SSLSocket:
            raw = stack.enter_context(socket.create_connection(("localhost", site.ports[0])))
            return stack.enter_context(context.wrap_socket(raw, server_hostname="localhost"))

        yield connect


def test_silent_connections_leave_room_for_those_who_ask(site, opened, monkeypatch):
    """130 without certificate, of 128 seats; a whole first request and half of a second do not keep one either."""
    monkeypatch.setattr(kme_server, "_PATIENCE_S", 3.0)
    tls = ssl.create_default_context(cafile=str(certificate_file(site.directory / "c", AUTHORITY)))

    silent = []
    for _ in range(130):
        with contextlib.suppress(OSError):  # hung up on while he says hello
            silent.append(opened(tls))
    assert client(site, "alice", 0).status("bob").stored_key_count == 32
    assert sum(is_open(connection) for connection in silent) <= kme_server._MOST_STRANGERS
    files = site.directory / "c"
    tls.load_cert_chain(certificate_file(files, "alice"), key_file(files, "alice"))
    known = opened(tls)
    known.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\n\r\n")
    assert known.recv(65_536).startswith(b"HTTP/1.1 200")
    known.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHo")
    assert is_open(known)
    time.sleep(3.5)
    assert not any(is_open(connection) for connection in [*silent, known])
    assert ask(site, None, 0, "GET", "/api/v1/keys/bob/status")[0] == 401, "and strangers are told again"


def test_a_client_refuses_another_server(site):
    files = site.directory / "c"
    other = certificate_file(site.directory / "foreign", AUTHORITY)
    stranger = Etsi014Client(
        f"https://localhost:{site.ports[0]}", "alice", certificate_file(files, "alice"), key_file(files, "alice"), other
    )
    with pytest.raises(ConnectionError, match="certificate verify failed"):
        stranger.status("bob")


JSON = {"Content-Type": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "message"),
    [
        ("POST", "bob/enc_keys", b"{", JSON, 400, "no JSON"),
        ("POST", "bob/enc_keys", b"\xff", JSON, 400, "no JSON"),
        ("POST", "bob/enc_keys", b"[" * 60_000, JSON, 400, "no JSON"),
        ("POST", "bob/enc_keys", rb'{"extension_mandatory": [{"\ud800": 1}]}', JSON, 400, "extension_mandatory"),
        ("POST", "bob/enc_keys", b" " * 65_537, JSON, 400, "body: got more than 65536"),
        ("POST", "bob/enc_keys", b"{}", {"Content-Type": "text/plain"}, 400, "Content-Type: got 'text/plain'"),
        ("POST", "bob/enc_keys", b'{"size": "256"}', JSON, 400, "size: got '256'"),
        ("POST", "bob/dec_keys", b"", JSON, 400, "no JSON"),
        ("POST", "bob/dec_keys", b"{}", JSON, 400, "key_IDs"),
        ("GET", "bob/enc_keys?number=1&number=1", None, {}, 400, "number twice"),
        ("GET", "bob/enc_keys?extension_mandatory=x", None, {}, 400, "all else by POST"),
        ("GET", "bob/dec_keys", None, {}, 400, "key_ID: missing"),
        ("GET", "bob/dec_keys?key_ID=1", None, {}, 400, "key_ID: got '1', allowed: a UUID"),
        ("GET", "bob%2F..%2Fx/status", None, {}, 404, "no method"),
        ("POST", "bob/status", b"{}", JSON, 405, "no method"),
        ("DELETE", "bob/enc_keys", None, {}, 405, "no method"),
    ],
)
def test_bad_requests_get_an_error_document_and_cost_nothing(site, method, path, body, headers, status, message):
    found, document = ask(site, "alice", 0, method, f"/api/v1/keys/{path}", body, headers)
    assert found == status and message in document["message"] and set(document) <= {"message", "details"}
    assert site.store.available_bits == 8_192


def test_get_and_post_ask_for_the_same(site):
    for method, path, body, headers in (
        ("GET", "bob/enc_keys?number=2&size=128", None, {}),
        ("POST", "bob/enc_keys", b'{"number": 2, "size": 128}', JSON),
    ):
        status, document = ask(site, "alice", 0, method, f"/api/v1/keys/{path}", body, headers)
        assert status == 200 and list(document) == ["keys"]
        first, second = document["keys"]
        assert set(first) == {"key_ID", "key"} and len(base64.b64decode(first["key"])) == 16
        wanted = {"key_IDs": [{"key_ID": second["key_ID"]}]}
        by_post = ask(site, "bob", 1, "POST", "/api/v1/keys/alice/dec_keys", json.dumps(wanted), JSON)
        by_get = ask(site, "bob", 1, "GET", f"/api/v1/keys/alice/dec_keys?key_ID={first['key_ID']}")
        assert by_post == (200, {"keys": [second]}) and by_get == (200, {"keys": [first]})
    assert ask(site, "alice", 0, "POST", "/api/v1/keys/bob/enc_keys")[0] == 200, "an empty Key request"


def test_many_clients_at_once_never_share_a_key(site):
    alice, got, refusals = client(site, "alice", 0), [], []

    def drain():
        try:
            while True:
                got.extend(alice.get_key("bob", KeyRequest(2, 64)))
        except Etsi014Error as error:
            refusals.append(error.status)

    threads = [threading.Thread(target=drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusals == [503] * 4 and len(got) == 128 == len({key.secret for key in got}) == len({key.id for key in got})


def test_a_secure_link_lives_on_delivered_keys(site):
    source = Etsi014KeySource(client(site, "alice", 0), client(site, "bob", 1), number=4)
    link = SecureLink("alice", "bob", "qkd", ChannelConfig(natural_loss=0.0), key_source=source)
    link.advance()
    assert link.send(b"zone 3: smoke").payload == b"zone 3: smoke"
    assert link.store.account().added == 1_024 and site.store.available_bits == 8_192 - 1_024
    site.store.discard()
    with pytest.raises(KeyUnavailable, match="503: not enough key material"):
        source(0, 1)


def test_a_key_source_notices_different_keys_and_unreachable_servers(site, monkeypatch):
    alice, bob = client(site, "alice", 0), client(site, "bob", 1)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        free = nobody.getsockname()[1]
    with monkeypatch.context() as patched:
        patched.setattr(alice, "_port", free)
        with pytest.raises(KeyUnavailable, match="Connection refused"):
            Etsi014KeySource(alice, bob)(7, 0)
    other_keys = alice.get_key("bob", KeyRequest(2))
    monkeypatch.setattr(bob, "get_key_with_ids", lambda master, ids: other_keys)
    with pytest.raises(KeyUnavailable, match="link 7: the two key servers give different keys"):
        Etsi014KeySource(alice, bob, number=2)(7, 0)


@pytest.mark.parametrize(("status", "error"), [(200, ConnectionError), (503, Etsi014Error)])
def test_a_client_survives_an_answer_that_is_nested_too_deeply(site, monkeypatch, status, error):
    answer = SimpleNamespace(status=status, read=lambda most: b"[" * 100_000)
    connection = SimpleNamespace(request=lambda *_: None, getresponse=lambda: answer, close=lambda: None)
    alice = client(site, "alice", 0)
    monkeypatch.setattr(http.client, "HTTPSConnection", lambda *_, **__: connection)
    with pytest.raises(error):
        alice.status("bob")


@pytest.mark.parametrize("url", ["http://localhost:1", "localhost:1", "https://", "https://localhost:1/api"])
def test_a_client_wants_an_https_address(url):
    with pytest.raises(ValueError, match="url: got"):
        Etsi014Client(url, "alice", Path("a"), Path("b"), Path("c"))


def test_the_sae_id_in_a_certificate():
    named = {"subject": ((("organizationName", "x"),), (("commonName", "alice"),))}
    assert sae_id_of(named) == "alice"
    assert sae_id_of(named | {"subjectAltName": (("DNS", "bob"),)}) == "alice"
    assert sae_id_of({"subject": (), "subjectAltName": (("DNS", "bob"), ("email", "x"))}) == "bob"
    for nobody in (None, {}, {"subject": ()}, {"subjectAltName": (("DNS", "a"), ("DNS", "b"))}):
        assert sae_id_of(nobody) is None
    assert sae_id_of({"subject": ((("commonName", "a"),), (("commonName", "b"),))}) is None


def test_a_request_whose_sae_nobody_verified_is_refused():
    """Served by another server than ours, the application lets nobody in."""
    store = ReservedKeyStore(":memory:")
    app = build_app(Kme(A, B, store, Limits(), lambda: 0.0))
    said = []

    async def run():
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            said.append(message)

        for state in ({}, {"state": {}}, {"state": {"sae_id": None}}):
            path = "/api/v1/keys/bob/enc_keys"
            scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
            await app(scope | {"headers": [], "root_path": "", "http_version": "1.1"} | state, receive, send)

    asyncio.run(run())
    assert [message["status"] for message in said if message["type"] == "http.response.start"] == [401] * 3
    store.close()


def test_where_one_end_stops_the_whole_link_does(site):
    kmes = [server.kme for server in site.servers]
    files = [TlsFiles.in_directory(site.directory / "c", kme.here.kme_id) for kme in kmes]
    servers = [KmeServer(kme, listen("127.0.0.1", 0), own) for kme, own in zip(kmes, files, strict=True)]
    thread = threading.Thread(target=serve_ends, args=(servers,))
    thread.start()
    here = SimpleNamespace(directory=site.directory, ports=[server.port for server in servers])
    assert client(here, "alice", 0).status("bob").stored_key_count == 32
    assert client(here, "bob", 1).status("alice").stored_key_count == 32
    servers[1].stop()
    thread.join(20)
    assert not thread.is_alive()
    with pytest.raises(ConnectionError, match="refused"):
        client(here, "alice", 0).status("bob")


def test_a_taken_port_and_a_foreign_address_are_named(site):
    for host, port, message in (("127.0.0.1", site.ports[0], "in use"), ("192.0.2.1", 0, "192.0.2.1, port 0")):
        with pytest.raises(OSError, match=message):
            listen(host, port)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl_gets_a_key_on_both_sides(site):
    def curl(name, end, path, *more):
        files = site.directory / "c"
        given = ["--cacert", certificate_file(files, AUTHORITY)]
        if name:
            given += ["--cert", certificate_file(files, name), "--key", key_file(files, name)]
        url = f"https://localhost:{site.ports[end]}/api/v1/keys/{path}"
        command = ["curl", "-sS", "--noproxy", "*", *given, "-w", "\n%{http_code}", *more, url]
        document, status = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rsplit("\n", 1)
        return int(status), json.loads(document)

    status, taken = curl("alice", 0, "bob/enc_keys?number=1&size=256")
    assert status == 200
    (key,) = taken["keys"]
    assert curl("carol", 1, f"alice/dec_keys?key_ID={key['key_ID']}")[0] == 401
    body = ["-H", "Content-Type: application/json", "-d", json.dumps({"key_IDs": [{"key_ID": key["key_ID"]}]})]
    assert curl("bob", 1, "alice/dec_keys", *body) == (200, {"keys": [key]})
    assert curl("bob", 1, "alice/dec_keys", *body)[0] == 400
    assert curl("alice", 0, "bob/enc_keys?size=100")[0] == 400
    assert curl(None, 0, "bob/enc_keys")[0] == 401
    site.store.discard()
    assert curl("alice", 0, "bob/enc_keys")[0] == 503


@pytest.mark.slow
def test_two_processes_exchange_a_message_under_a_delivered_key(site):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    example = [sys.executable, str(ROOT / "examples" / "etsi014_message.py")]
    urls = [f"https://localhost:{port}" for port in site.ports]
    common = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen([*example, "bob", urls[1], str(site.directory / "c"), port], **common) as bob:
        assert bob.stdout.readline() == "bob listens\n", bob.stderr.read()
        alice = subprocess.run([*example, "alice", urls[0], str(site.directory / "c"), port], **common, check=False)
        heard, error = bob.communicate(timeout=30)
    assert alice.returncode == 0 == bob.returncode, alice.stderr + error
    assert heard == "bob got 'zone 3: smoke'\n" and "and got 'got: zone 3: smoke'" in alice.stdout
    account = site.store.account()
    used = uuid.UUID(alice.stdout.split()[2])
    assert account.waiting % 256 == 0 and used not in site.store._waiting, "both ends have had it"


def test_the_page_s_lines_run(site, capsys, monkeypatch):
    page = (ROOT / "docs" / "key_server.md").read_text()
    code = next(block for block in page.split("```python\n") if "Etsi014KeySource(" in block).split("```")[0]
    for end, port in enumerate(("8443", "8444")):
        assert port in code
        code = code.replace(port, str(site.ports[end]))
    monkeypatch.chdir(site.directory)
    exec(code.replace('"certificates"', '"c"'), {})
    assert capsys.readouterr().out in ("b'fire in room 12' 24\n", "None 24\n"), "32 keys, 8 of them taken"
    most = Limits()
    said = " ".join(page.split())
    assert f"{most.min_key_size} to {most.max_key_size:,} bits" in said and f"{most.key_size} if no size" in said
    assert f"{most.max_key_per_request} keys a request, {most.max_SAE_ID_count} additional slaves" in said
