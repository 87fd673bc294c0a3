"""ETSI GS QKD 014 V1.1.1 (2019-02): what an application (SAE) and a key server (KME) say to each other.

The data formats of the standard's clause 6 as values, read from JSON documents and query parameters and written to
them, apart from HTTP. Fields have the standard's own names. ``kme`` holds the rules of a server, ``kme_server`` its
HTTPS face, ``etsi014_client`` the other side.

What is read is read strictly: a member that the standard does not know, or a value of another type, is refused by
name. A member that is null counts as absent.
"""

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from qdt_env.security.keystore import Key

BASE_PATH = "/api/v1/keys"
BAD_REQUEST, UNAUTHORIZED, UNAVAILABLE = 400, 401, 503  # the standard's status codes beside 200

_SAE_ID = re.compile(r"[A-Za-z0-9._~:@-]{1,64}")
_ALLOWED_SAE_ID = "1 .. 64 letters, digits and . _ ~ : @ -"

Parameters = Iterable[tuple[str, str]]
Extension = dict[str, Any]


class Etsi014Error(Exception):
    """The standard's error answer.

    Args:
        status: HTTP status code, one of 400, 401, 503 (404 and 405 for what is no method of the standard).
        message: what is wrong.
        details: one-member objects that say more, in any number.
    """

    def __init__(self, status: int, message: str, *details: Extension) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message, self.details = status, message, details

    def to_json(self) -> dict[str, Any]:
        """The document of the answer."""
        return {"message": self.message} | ({"details": list(self.details)} if self.details else {})

    @classmethod
    def from_json(cls, status: int, document: Any) -> "Etsi014Error":
        """The error in an answer; any other document is quoted as it is."""
        if isinstance(document, dict) and isinstance(document.get("message"), str):
            details = document.get("details")
            listed = [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []
            return cls(status, document["message"], *listed)
        return cls(status, f"no error document of the standard: {document!r:.200}")


@dataclass(frozen=True)
class Status:
    """What a KME can deliver to a pair of SAEs; the standard's Status data format.

    Attributes:
        source_KME_ID, target_KME_ID: the KME that answers and the one at the other end.
        master_SAE_ID, slave_SAE_ID: who asked, and for which slave.
        key_size: size of a key by default, bits.
        stored_key_count: keys of that size in store now, >= 0.
        max_key_count: most keys of that size that the store holds.
        max_key_per_request: most keys in one request.
        max_key_size, min_key_size: bits.
        max_SAE_ID_count: most additional slaves of a request.
    """

    source_KME_ID: str
    target_KME_ID: str
    master_SAE_ID: str
    slave_SAE_ID: str
    key_size: int
    stored_key_count: int
    max_key_count: int
    max_key_per_request: int
    max_key_size: int
    min_key_size: int
    max_SAE_ID_count: int

    def to_json(self) -> dict[str, Any]:
        """The document of the answer."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Any) -> "Status":
        """Read an answer; ``status_extension`` and other members are left aside.

        Raises:
            ValueError: a member is missing or of another type.
        """
        if not isinstance(document, dict):
            raise ValueError(f"status: got {type(document).__name__}, allowed: an object")
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = document.get(field.name)
            if type(value) is not field.type:
                raise ValueError(f"status: {field.name}: got {value!r}, allowed: {field.type}")
            values[field.name] = value
        return cls(**values)


@dataclass(frozen=True)
class KeyRequest:
    """What a master asks for; the standard's Key request data format.

    Attributes:
        number: how many keys.
        size: of each, bits; None for the KME's default.
        additional_slave_SAE_IDs: who shall get the same keys beside the slave.
        extension_mandatory: what the KME must understand or refuse.
        extension_optional: what it may ignore.
    """

    number: int = 1
    size: int | None = None
    additional_slave_SAE_IDs: tuple[str, ...] = ()
    extension_mandatory: tuple[Extension, ...] = ()
    extension_optional: tuple[Extension, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document of the request, without what is absent."""
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in given.items() if value not in (None, [])}

    @classmethod
    def from_json(cls, document: Any) -> "KeyRequest":
        """Read the body of a POST.

        Raises:
            Etsi014Error: 400, no Key request.
        """
        readers: dict[str, Callable[[str, Any], Any]] = {
            "number": _integer,
            "size": _integer,
            "additional_slave_SAE_IDs": _sae_ids,
            "extension_mandatory": _extensions,
            "extension_optional": _extensions,
        }
        given = _members(document, "Key request", readers)
        return cls(**{name: readers[name](name, value) for name, value in given.items()})

    @classmethod
    def from_query(cls, parameters: Parameters) -> "KeyRequest":
        """Read the parameters of a GET, which may only be number and size.

        Raises:
            Etsi014Error: 400, others, one twice, or no whole number.
        """
        found = {name: _decimal(name, text) for name, text in _once(parameters, ("number", "size")).items()}
        return cls(found.get("number", 1), found.get("size"))


def check_sae_id(name: str) -> str:
    """The SAE ID, if it is one that this package serves: it stands in paths and certificates.

    Raises:
        Etsi014Error: 400, it is not.
    """
    if not _SAE_ID.fullmatch(name):
        raise Etsi014Error(BAD_REQUEST, f"SAE ID: got {name!r:.80}, allowed: {_ALLOWED_SAE_ID}")
    return name


def check_names(names: Sequence[str]) -> None:
    """Refuse names of servers and applications before anything is made of them: files, certificates, ends of a link.

    Raises:
        ValueError: one that is no SAE ID, or one that is there more than once.
    """
    for name in names:
        try:
            check_sae_id(name)
        except Etsi014Error as error:
            raise ValueError(error.message) from None
        if names.count(name) > 1:
            whose = "of servers, applications and the authority"
            raise ValueError(f"SAE ID: got {name!r} more than once, allowed: each name once, {whose}")


def key_container(keys: Sequence[Key]) -> dict[str, Any]:
    """The standard's Key container with these keys."""
    return {"keys": [{"key_ID": str(key.id), "key": base64.b64encode(key.secret).decode()} for key in keys]}


def keys_from_container(document: Any) -> tuple[Key, ...]:
    """The keys of a Key container; extensions are left aside.

    Raises:
        ValueError: it is none. Nothing of what it holds is quoted.
    """
    try:
        return tuple(
            Key(uuid.UUID(entry["key_ID"]), base64.b64decode(entry["key"], validate=True)) for entry in document["keys"]
        )
    except (TypeError, KeyError, ValueError, AttributeError, binascii.Error):
        raise ValueError("key container: no keys with key_ID (UUID) and key (Base64) in it") from None


def key_ids_document(ids: Iterable[uuid.UUID]) -> dict[str, Any]:
    """The standard's Key IDs data format."""
    return {"key_IDs": [{"key_ID": str(key_id)} for key_id in ids]}


def key_ids_from_json(document: Any) -> tuple[uuid.UUID, ...]:
    """Read Key IDs, the body of a POST; ``key_ID_extension`` and ``key_IDs_extension`` have no meaning yet.

    Raises:
        Etsi014Error: 400, no Key IDs.
    """
    entries = _members(document, "Key IDs", ("key_IDs", "key_IDs_extension")).get("key_IDs")
    if not isinstance(entries, list) or not entries:
        raise Etsi014Error(BAD_REQUEST, "key_IDs: allowed: an array of one or more objects with key_ID")
    named = [_members(entry, "key_IDs", ("key_ID", "key_ID_extension")).get("key_ID") for entry in entries]
    return tuple(_key_id(name) for name in named)


def key_ids_from_query(parameters: Parameters) -> tuple[uuid.UUID]:
    """Read the one key_ID of a GET.

    Raises:
        Etsi014Error: 400, none, several, or another parameter.
    """
    found = _once(parameters, ("key_ID",))
    if not found:
        raise Etsi014Error(BAD_REQUEST, "key_ID: missing; one in the query, or several by POST")
    return (_key_id(found["key_ID"]),)


def _members(document: Any, what: str, allowed: Iterable[str]) -> dict[str, Any]:
    """The members of an object that are not null, if all are allowed."""
    if not isinstance(document, dict):
        raise Etsi014Error(BAD_REQUEST, f"{what}: got {type(document).__name__}, allowed: an object")
    names = list(allowed)
    unknown = [name for name in document if name not in names]
    if unknown:
        raise Etsi014Error(BAD_REQUEST, f"{what}: got {unknown[0]!r:.80}, allowed: {', '.join(names)}")
    return {name: value for name, value in document.items() if value is not None}


def _once(parameters: Parameters, allowed: Sequence[str]) -> dict[str, str]:
    """Query parameters by name, each at most once."""
    found: dict[str, str] = {}
    for name, text in parameters:
        if name not in allowed:
            hint = f"{' and '.join(allowed)}; all else by POST"
            raise Etsi014Error(BAD_REQUEST, f"query: got {name!r:.80}, allowed: {hint}")
        if name in found:
            raise Etsi014Error(BAD_REQUEST, f"query: {name} twice; allowed: once")
        found[name] = text
    return found


def _integer(name: str, value: Any) -> int:
    """A JSON number that is whole; true and false are none."""
    if type(value) is not int:
        raise Etsi014Error(BAD_REQUEST, f"{name}: got {value!r:.80}, allowed: a whole number")
    return value


def _decimal(name: str, text: str) -> int:
    """A whole number in ASCII digits."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Etsi014Error(BAD_REQUEST, f"{name}: got {text!r:.80}, allowed: a whole number of up to 9 digits")
    return int(text)


def _sae_ids(name: str, value: Any) -> tuple[str, ...]:
    """An array of SAE IDs."""
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise Etsi014Error(BAD_REQUEST, f"{name}: allowed: an array of strings")
    return tuple(check_sae_id(entry) for entry in value)


def _extensions(name: str, value: Any) -> tuple[Extension, ...]:
    """An array of objects."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise Etsi014Error(BAD_REQUEST, f"{name}: allowed: an array of objects")
    return tuple(value)


def _key_id(text: Any) -> uuid.UUID:
    """A UUID in its usual form, 8-4-4-4-12 hexadecimal digits."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise Etsi014Error(BAD_REQUEST, f"key_ID: got {text!r:.80}, allowed: a UUID")
    return uuid.UUID(text)
