"""What both lines of the Python SDK share: settings, encryption, the order of the calls, and the checks.

Of the SDK only the configuration is imported here; the packages of its classes differ between the lines.
"""

import base64
import json
import os
import re
import sys
import time
from typing import Any, NoReturn, Protocol

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sailpoint.configuration import Configuration

PATIENCE_SECONDS = 60
POLL_SECONDS = 0.2


class Operations(Protocol):
    """The four operations as one line of the SDK offers them."""

    def query(self, user: str, source: str) -> Any: ...

    def set(self, info: Any, account_id: str, ciphertext: str) -> Any: ...

    def status(self, request_id: str) -> Any: ...

    def digit_token(self, user: str) -> Any: ...


def main(sdk: str, connect: Any) -> None:
    """Run the whole change and print one line of JSON; `connect` makes the operations of one SDK line."""
    values = {name: setting(name) for name in ("SAIL_BASE_URL", "SAIL_CLIENT_ID", "SAIL_CLIENT_SECRET")}
    user = setting("LOCKSTEP_TEST_USER")
    source = setting("LOCKSTEP_TEST_SOURCE")
    password = setting("LOCKSTEP_TEST_NEW_PASSWORD")
    try:
        print(json.dumps(change(sdk, connect(), user, source, password)))
    except Exception as error:  # Whatever the SDK raises is the finding; it is told in one piece, with its type.
        fail(f"{type(error).__name__} against {values['SAIL_BASE_URL']}: {error}")


def change(sdk: str, operations: Operations, user: str, source: str, password: str) -> dict[str, Any]:
    info = operations.query(user, source)
    if len(info.accounts) != 1:
        fail(f"query-password-info names {len(info.accounts)} accounts, expected one")
    account_id = info.accounts[0].account_id

    accepted = operations.set(info, account_id, encrypt(info.public_key, password))
    if not accepted.request_id:
        fail("set-password answered without a requestId")

    status = wait(operations, accepted.request_id)
    if status.state != "FINISHED":
        fail(f"the change ended as {status.state}: {status.errors}")

    token = operations.digit_token(user)
    if not re.fullmatch(r"[0-9]{6,18}", token.digit_token or ""):
        fail("the digit token is not a string of 6 to 18 digits")
    if not token.request_id:
        fail("the digit token came without a requestId")

    return {
        "sdk": sdk,
        "identityId": info.identity_id,
        "accountId": account_id,
        "policies": info.policies,
        "requestId": accepted.request_id,
        "state": status.state,
        "sourceIds": status.source_ids,
        "tokenRequestId": token.request_id,
    }


def wait(operations: Operations, request_id: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = operations.status(request_id)
        if status.state != "IN_PROGRESS":
            return status
        time.sleep(POLL_SECONDS)
    fail(f"the change was still in progress after {PATIENCE_SECONDS} s")


def encrypt(public_key: str, password: str) -> str:
    """The key comes as base64 of the DER SubjectPublicKeyInfo; the padding is PKCS#1 v1.5."""
    key = load_der_public_key(base64.b64decode(public_key, validate=True))
    if not isinstance(key, rsa.RSAPublicKey):
        fail(f"publicKey is a {type(key).__name__}, expected an RSA key")
    return base64.b64encode(key.encrypt(password.encode(), padding.PKCS1v15())).decode()


def configuration() -> Configuration:
    """The SDK's own configuration: it reads SAIL_BASE_URL, SAIL_CLIENT_ID and SAIL_CLIENT_SECRET, and asks for a token."""
    made = Configuration()
    made.experimental = True
    made.suppress_experimental_warnings = True
    if made.access_token is None:
        fail("the SDK got no access token")
    return made


def setting(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        fail(f"{name} is not set")
    return value


def fail(sentence: str) -> NoReturn:
    print(f"sdk-python: {sentence}", file=sys.stderr)
    sys.exit(1)
