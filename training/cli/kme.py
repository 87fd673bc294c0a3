"""``qdt kme``: a key server by ETSI GS QKD 014 at each end of a simulated link, and certificates to try it with."""

import datetime
import secrets
import shlex
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from qdt_env.records import require
from qdt_env.security.certificates import AUTHORITY, certificate_file, check_certificates, key_file, make_certificates
from qdt_env.security.etsi014 import BASE_PATH
from qdt_env.security.keystore import KeyUnavailable
from qdt_env.security.kme import End, Kme, Limits
from qdt_env.security.link_feed import LinkFeed, start_feed
from qdt_env.security.qkd.hardware import PRESETS
from qdt_env.security.qkd.transmission import Adversary
from qdt_env.security.reserved_keystore import ReservedKeyStore
from training.cli.outputs import JsonFile, check_folder, check_outputs, write_json
from training.cli.report import plain

if TYPE_CHECKING:
    from qdt_env.security.kme_server import KmeServer

app = typer.Typer(
    help="Serve keys of a simulated QKD link by ETSI GS QKD 014, over HTTPS with certificates on both sides.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
KME_A, KME_B = "kme-a", "kme-b"
SAES_A, SAES_B = ["alice"], ["bob", "carol"]

SaesA = Annotated[list[str], typer.Option("--sae-a", help=f"Applications that {KME_A} serves; repeat for more.")]
SaesB = Annotated[list[str], typer.Option("--sae-b", help=f"Applications that {KME_B} serves; repeat for more.")]


@app.command()
def certificates(
    directory: Annotated[Path, typer.Argument(help="Where to write them; made when absent.")],
    sae_a: SaesA = SAES_A,
    sae_b: SaesB = SAES_B,
    days: Annotated[float, typer.Option("--days", help="How long they are valid.")] = 30.0,
    json_file: JsonFile = None,
) -> None:
    """Make certificates for a demonstration: an authority, both key servers, and every application.

    The authority's private key is not kept. Names are NAME.pem and NAME.key.

    Examples: `qdt kme certificates certificates` · `qdt kme certificates c --sae-a alice --sae-b bob --days 1`
    """
    check_outputs({"--json": json_file})
    check_folder(directory, "DIRECTORY")
    written = make_certificates(directory, [KME_A, KME_B], [*sae_a, *sae_b], _now(), days)
    config = {"sae_a": sae_a, "sae_b": sae_b, "days": days}
    write_json(json_file, "kme certificates", config, [str(path) for path in written])
    _say(f"{directory}: {len(written)} files, valid for {days:g} days")


@app.command()
def serve(
    store_file: Annotated[Path, typer.Option("--store", help="The link's key store (SQLite); made when absent.")],
    directory: Annotated[Path, typer.Option("--certificates", help="As `qdt kme certificates` makes them.")],
    port: Annotated[
        int, typer.Option("--port", help=f"Of {KME_A}; {KME_B} has the next one; 0: any free ones.")
    ] = 8443,
    host: Annotated[str, typer.Option("--host", help="Address of this machine to listen on.")] = "localhost",
    sae_a: SaesA = SAES_A,
    sae_b: SaesB = SAES_B,
    preset: Annotated[str, typer.Option("--preset", help=f"The link: {', '.join(PRESETS)}.")] = "robot100MHz",
    loss_db: Annotated[float, typer.Option("--loss", help="Loss of the link, dB.")] = 15.0,
    intercepted: Annotated[float, typer.Option("--intercept", help="Fraction of the pulses Eve measures.")] = 0.0,
    capacity_bits: Annotated[int, typer.Option("--capacity", help="Most bits in store.")] = 1_048_576,
    lifetime_s: Annotated[float, typer.Option("--lifetime", help="Age at which unfetched bits go, s.")] = 86_400.0,
    json_file: JsonFile = None,
) -> None:
    """Serve both ends of a simulated link until interrupted; prints the lines that fetch a key.

    A restart goes on with the same store; no key is handed out twice, whatever happened. Keys are fresh at every run:
    there is no seed. A simulation: these keys protect nothing.

    Examples: `qdt kme serve --store keys.sqlite --certificates certificates` ·
    `qdt kme serve --store keys.sqlite --certificates certificates --port 9443 --loss 25 --intercept 0.02`
    """
    check_outputs({"--json": json_file, "--store": store_file})
    require(0 <= port <= 65_534, "--port", port, "0 to 65534")
    require(0 <= intercepted <= 1, "--intercept", intercepted, "0 to 1")
    end_a, end_b = End(KME_A, tuple(sae_a)), End(KME_B, tuple(sae_b))
    check_certificates(directory, [KME_A, KME_B], _now(), [*sae_a, *sae_b])
    with ExitStack() as stack:
        store = stack.enter_context(closing(_open_store(store_file, capacity_bits, lifetime_s)))
        feed = LinkFeed(store, _fresh_generator(), preset, loss_db, Adversary(intercepted), time.time)
        servers = []
        for here, there, place in ((end_a, end_b, port), (end_b, end_a, port + 1 if port else 0)):
            kme = Kme(here, there, store, _limits(store), time.time)
            servers.append(_server(stack, kme, host, place, directory))

        def ready() -> None:
            ports = {server.kme.here.kme_id: server.port for server in servers}
            write_json(json_file, "kme serve", {"store": str(store_file), "host": host}, {"ports": ports})
            _say(_greeting(servers, directory, host))

        _serve(servers, feed, ready)
    _say("stopped")


def _server(stack: ExitStack, kme: Kme, host: str, port: int, directory: Path) -> "KmeServer":
    """A KME on its port, which ``stack`` closes."""
    try:
        from qdt_env.security.kme_server import KmeServer, TlsFiles, listen
    except ImportError as error:
        raise ValueError(f"qdt kme serve needs {error.name}: pip install 'qdt-env[kme]'") from None
    listener = stack.enter_context(closing(listen(host, port)))
    return KmeServer(kme, listener, TlsFiles.in_directory(directory, kme.here.kme_id))


def _serve(servers: list["KmeServer"], feed: LinkFeed, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM, the link making keys meanwhile."""
    from qdt_env.security.kme_server import serve_ends

    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: all is closed in order
    link = start_feed(feed, stop)
    try:
        with suppress(KeyboardInterrupt):
            serve_ends(servers, ready)
    finally:
        stop.set()
        link.join()
        signal.signal(signal.SIGTERM, before)


def _open_store(path: Path, capacity_bits: int, lifetime_s: float) -> ReservedKeyStore:
    """The store in a file that only its owner can read."""
    if not path.exists():
        path.touch(mode=0o600)
    try:
        return ReservedKeyStore(path, capacity_bits, lifetime_s)
    except KeyUnavailable as error:
        raise ValueError(str(error)) from None
    except sqlite3.DatabaseError as error:
        raise ValueError(f"--store: {path} is no key store ({error})") from None


def _limits(store: ReservedKeyStore) -> Limits:
    """The limits by default, as far as the store can ever grant them."""
    most = Limits.max_key_size
    require(store.capacity_bits >= most, "--capacity", store.capacity_bits, f"{most} or more, the longest key")
    return Limits()


def _fresh_generator() -> np.random.Generator:
    """A generator that starts from the operating system's randomness: no two runs make the same keys."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(secrets.randbits(256))))


def _greeting(servers: list["KmeServer"], directory: Path, host: str) -> str:
    """Where the servers are, and the lines that fetch a key at one end and the same at the other."""
    a, b = servers
    master, slave = a.kme.here.saes[0], b.kme.here.saes[0]
    lines = [f"{server.kme.here.kme_id} serves {', '.join(server.kme.here.saes)}: " for server in servers]
    lines = [line + _url(host, server) for line, server in zip(lines, servers, strict=True)]
    return "\n".join(
        [
            *lines,
            f"{master} takes a key to share with {slave}:",
            "  " + _curl(directory, master, f"{_url(host, a)}{BASE_PATH}/{slave}/enc_keys?number=1&size=256"),
            f"{slave} fetches the same key by its key_ID:",
            "  " + _curl(directory, slave, f"{_url(host, b)}{BASE_PATH}/{master}/dec_keys?key_ID=..."),
            "Ctrl-C stops. A simulation: these keys protect nothing.",
        ]
    )


def _url(host: str, server: "KmeServer") -> str:
    """Its address."""
    return f"https://{f'[{host}]' if ':' in host else host}:{server.port}"


def _curl(directory: Path, name: str, url: str) -> str:
    """A command line for a shell."""
    files = {
        "--cacert": certificate_file(directory, AUTHORITY),
        "--cert": certificate_file(directory, name),
        "--key": key_file(directory, name),
    }
    given = [part for option, path in files.items() for part in (option, str(path))]
    return shlex.join(["curl", *given, url])


def _now() -> datetime.datetime:
    """The time now, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def _say(text: str) -> None:
    """To standard output, at once and as it is: others wait for it."""
    plain().print(text, markup=False)
