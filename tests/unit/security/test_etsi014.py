"""ETSI GS QKD 014: its documents and queries, read strictly and written as the standard has them."""

import json
import subprocess
import sys
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdt_env.security.etsi014 import (
    Etsi014Error,
    KeyRequest,
    Status,
    check_sae_id,
    key_container,
    key_ids_document,
    key_ids_from_json,
    key_ids_from_query,
    keys_from_container,
)
from qdt_env.security.keystore import Key

ID = uuid.UUID("bc490419-7d60-487f-adc1-4ddcc177c139")
STATUS = Status("kme-a", "kme-b", "alice", "bob", 256, 25, 100, 128, 1024, 64, 0)


def test_documents_have_the_names_of_the_standard():
    assert STATUS.to_json() == {
        "source_KME_ID": "kme-a",
        "target_KME_ID": "kme-b",
        "master_SAE_ID": "alice",
        "slave_SAE_ID": "bob",
        "key_size": 256,
        "stored_key_count": 25,
        "max_key_count": 100,
        "max_key_per_request": 128,
        "max_key_size": 1024,
        "min_key_size": 64,
        "max_SAE_ID_count": 0,
    }
    assert Status.from_json(STATUS.to_json() | {"status_extension": {"x": 1}}) == STATUS
    assert key_container([Key(ID, b"\x00\xff")]) == {"keys": [{"key_ID": str(ID), "key": "AP8="}]}
    assert key_ids_document([ID]) == {"key_IDs": [{"key_ID": str(ID)}]}
    error = Etsi014Error(400, "no", {"size": 7})
    assert error.to_json() == {"message": "no", "details": [{"size": 7}]}
    assert Etsi014Error(503, "later").to_json() == {"message": "later"}


def test_a_key_request_by_post_and_by_get():
    whole = {
        "number": 3,
        "size": 1024,
        "additional_slave_SAE_IDs": ["carol", "dave"],
        "extension_mandatory": [{"route": {"hops": 2}}],
        "extension_optional": [{"max_age": 30000}],
    }
    request = KeyRequest.from_json(whole)
    assert request.additional_slave_SAE_IDs == ("carol", "dave") and request.to_json() == whole
    assert KeyRequest.from_json({}) == KeyRequest() == KeyRequest(1, None) == KeyRequest.from_query([])
    assert KeyRequest.from_json({"size": None}) == KeyRequest()
    assert KeyRequest.from_query([("number", "3"), ("size", "1024")]) == KeyRequest(3, 1024)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "Key request: got list"),
        (None, "Key request: got NoneType"),
        ({"nubmer": 1}, "got 'nubmer', allowed: number, size"),
        ({"key_extension_mandatory": []}, "extension_mandatory"),
        ({"number": "3"}, "number: got '3'"),
        ({"number": True}, "number: got True"),
        ({"size": 256.0}, "size: got 256.0"),
        ({"additional_slave_SAE_IDs": "carol"}, "additional_slave_SAE_IDs: allowed"),
        ({"additional_slave_SAE_IDs": ["a b"]}, "SAE ID: got 'a b'"),
        ({"extension_mandatory": {"a": 1}}, "extension_mandatory: allowed"),
        ({"extension_optional": [1]}, "extension_optional: allowed"),
    ],
)
def test_what_is_no_key_request_is_refused_by_name(document, message):
    with pytest.raises(Etsi014Error, match=message) as refusal:
        KeyRequest.from_json(document)
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([("number", "x")], "number: got 'x'"),
        ([("number", "-1")], "number: got '-1'"),
        ([("size", "２５６")], "size"),
        ([("size", "1" * 10)], "up to 9 digits"),
        ([("number", "1"), ("number", "2")], "number twice"),
        ([("additional_slave_SAE_IDs", "carol")], "all else by POST"),
    ],
)
def test_what_a_get_may_not_ask(parameters, message):
    with pytest.raises(Etsi014Error, match=message) as refusal:
        KeyRequest.from_query(parameters)
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"key_IDs": []},
        {"key_IDs": "x"},
        {"key_IDs": [str(ID)]},
        {"key_IDs": [{}]},
        {"key_IDs": [{"key_ID": 7}]},
        {"key_IDs": [{"key_ID": ID.hex}]},
        {"key_IDs": [{"key_ID": f"{{{ID}}}"}]},
        {"key_IDs": [{"key_ID": str(ID), "key": ""}]},
        {"key_ID": str(ID)},
        None,
    ],
)
def test_what_is_no_list_of_key_ids(document):
    with pytest.raises(Etsi014Error) as refusal:
        key_ids_from_json(document)
    assert refusal.value.status == 400


def test_key_ids_by_post_and_by_get():
    assert key_ids_from_json({"key_IDs": [{"key_ID": str(ID).upper(), "key_ID_extension": {}}]}) == (ID,)
    assert key_ids_from_query([("key_ID", str(ID))]) == (ID,)
    for parameters in ([], [("key_ID", "")], [("key_ID", str(ID))] * 2, [("key_IDs", str(ID))]):
        with pytest.raises(Etsi014Error) as refusal:
            key_ids_from_query(parameters)
        assert refusal.value.status == 400


def test_sae_ids_fit_into_paths_and_certificates():
    assert check_sae_id("robot_0.ward-3") == "robot_0.ward-3"
    for name in ("", "a/b", "a>b", "a b", "x" * 65, "ä", "bob\n"):
        with pytest.raises(Etsi014Error, match="SAE ID"):
            check_sae_id(name)


def test_answers_of_other_servers():
    for document in ([], {}, {"keys": None}, {"keys": [{"key_ID": "x", "key": ""}]}, {"keys": [{"key": "AA=="}]}):
        with pytest.raises(ValueError, match="key container"):
            keys_from_container(document)
    with pytest.raises(ValueError) as secret:
        keys_from_container({"keys": [{"key_ID": str(ID), "key": "c2VjcmV0!"}]})
    assert "c2VjcmV0" not in str(secret.value)
    for wrong in ([], STATUS.to_json() | {"key_size": "256"}, {"key_size": 256}):
        with pytest.raises(ValueError, match="status"):
            Status.from_json(wrong)
    error = Etsi014Error.from_json(400, {"message": "m", "details": [{"a": 1}, 2]})
    assert (error.status, error.message, error.details) == (400, "m", ({"a": 1},))
    assert "<html>" in Etsi014Error.from_json(502, "<html>").message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
member_names = st.sampled_from(
    ["number", "size", "additional_slave_SAE_IDs", "extension_mandatory", "extension_optional", "key_IDs", "key_ID"]
)


@settings(max_examples=50)
@given(st.dictionaries(member_names | st.text(), json_values) | json_values)
def test_any_document_is_read_or_refused(document):
    for reader in (KeyRequest.from_json, key_ids_from_json):
        try:
            reader(document)
        except Etsi014Error as error:
            assert error.status == 400 and len(error.message) < 400
            json.dumps(error.to_json())


@settings(max_examples=30)
@given(st.lists(st.tuples(st.uuids(), st.binary(min_size=1, max_size=64)), max_size=5))
def test_keys_go_through_their_document_unchanged(pairs):
    keys = tuple(Key(key_id, secret) for key_id, secret in pairs)
    assert keys_from_container(json.loads(json.dumps(key_container(keys)))) == keys


def test_rules_and_client_need_no_web_framework():
    code = (
        "import sys\n"
        "for name in ('fastapi', 'uvicorn', 'starlette', 'pydantic', 'cryptography'): sys.modules[name] = None\n"
        "import qdt_env.security.kme, qdt_env.security.etsi014_client, qdt_env.security.certificates\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
