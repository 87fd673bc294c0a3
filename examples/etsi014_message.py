"""Two processes, each with its own key server (ETSI GS QKD 014), exchange a message under a key that both fetched.

qdt kme certificates certificates
qdt kme serve --store keys.sqlite --certificates certificates --port 8443 &
python examples/etsi014_message.py bob https://localhost:8444 certificates 9014 &
python examples/etsi014_message.py alice https://localhost:8443 certificates 9014
"""

import argparse
import socket
from pathlib import Path

from qdt_env.security.certificates import AUTHORITY, certificate_file, key_file
from qdt_env.security.ciphers import epoch_keys
from qdt_env.security.derivation import join
from qdt_env.security.etsi014_client import Etsi014Client
from qdt_env.security.identity import Party
from qdt_env.security.key_exchange import INGREDIENTS, Initiator, Occasion, QkdPart, Responder
from qdt_env.security.session import Session
from qdt_env.security.suites import suite_by_name
from qdt_env.security.wire import DOWNLINK, UPLINK

QKD = INGREDIENTS["qkd"]
OCCASION = Occasion("qkd", 0, 0, Party("alice"), Party("bob"))


def alice(client: Etsi014Client, port: int) -> None:
    """Take a key, tell bob its id, send him a report and read his answer."""
    (key,) = client.get_key("bob")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, connection.makefile("rwb") as line:
        initiator = Initiator(QKD, OCCASION, QkdPart(key.id, key.secret))
        _, secret = initiator.finish(ask(line, initiator.hello()))
        session = Session(suite_by_name("qkd").code, 0, UPLINK, max_age_steps=0)
        session.install(epoch_keys(0, secret))
        answer = session.open(ask(line, session.seal(b"zone 3: smoke", step=0)), step=0)
    print(f"alice used {key.id} and got {answer.payload.decode()!r}")


def bob(client: Etsi014Client, port: int) -> None:
    """Fetch the key that alice names, read her report and answer."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        print("bob listens", flush=True)
        connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as line:
        responder = Responder(QKD, OCCASION, lambda key_id: client.get_key_with_ids("alice", [key_id])[0].secret)
        session = Session(suite_by_name("qkd").code, 0, DOWNLINK, max_age_steps=0)
        report = ask(line, responder.reply(hear(line)))
        session.install(epoch_keys(0, responder.finish(join())))  # nothing is signed: who lacks the key cannot seal
        payload = session.open(report, step=0).payload
        tell(line, session.seal(b"got: " + payload, step=0))
    print(f"bob got {payload.decode()!r}")


def tell(line, message: bytes) -> None:
    """Send a message with its length before it."""
    line.write(len(message).to_bytes(4, "big") + message)
    line.flush()


def hear(line) -> bytes:
    """Receive a message."""
    return line.read(int.from_bytes(line.read(4), "big"))


def ask(line, message: bytes) -> bytes:
    """Send a message and receive the answer."""
    tell(line, message)
    return hear(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One end of a message under a key of a key server (ETSI GS QKD 014).")
    parser.add_argument("name", choices=("alice", "bob"))
    parser.add_argument("url", help="of the key server at this end, such as https://localhost:8443")
    parser.add_argument("directory", type=Path, help="of the certificates that qdt kme certificates made")
    parser.add_argument("port", type=int, help="at which bob listens")
    given = parser.parse_args()
    parties = [certificate_file(given.directory, given.name), key_file(given.directory, given.name)]
    client = Etsi014Client(given.url, given.name, *parties, certificate_file(given.directory, AUTHORITY))
    {"alice": alice, "bob": bob}[given.name](client, given.port)
