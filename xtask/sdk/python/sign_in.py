"""A person signs in at an application by Authlib: authorization code, PKCE, refresh, revocation.

Stands in for the person with plain form posts; everything else is the library's own. Ends with an exception where an
answer is not the expected one.
"""

import os
import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

BASE = os.environ["LOCKSTEP_TEST_BASE_URL"]
CALLBACK = "http://127.0.0.1:1/callback"
PASSWORD = "Quiet-Lantern-Over-Harbour-42"


class Browser(requests.Session):
    """Sends Secure cookies to loopback, as browsers do, and says where a form stands."""

    def __init__(self):
        super().__init__()
        self.trust_env = False

    def submit(self, page, path, **filled):
        fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
        form = {unescape(name): unescape(value) for name, value in fields} | filled
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in page.cookies)
        headers = {"Origin": BASE, "Cookie": cookies}
        return self.post(BASE + path, data=form, headers=headers, allow_redirects=False)


def refused(call):
    try:
        call()
    except OAuthError as error:
        return error.error
    raise AssertionError("nothing was refused")


def main():
    browser = Browser()
    link, code = os.environ["LOCKSTEP_TEST_LINK"].split("#")
    page = browser.get(link)
    done = browser.submit(page, "/enrol", code=code, new_password=PASSWORD, repeated=PASSWORD)
    assert done.status_code == 200, done.text

    plain = requests.Session()
    plain.trust_env = False
    metadata = plain.get(BASE + "/.well-known/oauth-authorization-server").json()
    credentials = (os.environ["LOCKSTEP_TEST_TOKEN_ID"], os.environ["LOCKSTEP_TEST_TOKEN_SECRET"])
    answer = plain.post(metadata["token_endpoint"], data={"grant_type": "client_credentials"}, auth=credentials)
    bearer = {"Authorization": "Bearer " + answer.json()["access_token"]}
    wanted = {
        "name": "Authlib",
        "grantTypes": ["AUTHORIZATION_CODE", "REFRESH_TOKEN"],
        "redirectUris": [CALLBACK],
        "accessTokenValiditySeconds": 750,
    }
    client = plain.post(BASE + "/v2024/oauth-clients", json=wanted, headers=bearer)
    assert client.status_code == 200, client.text
    client = client.json()

    session = OAuth2Session(
        client["id"],
        client["secret"],
        scope="idn:password-info:read",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_basic",
    )
    session.trust_env = False
    verifier = "0123456789-0123456789-0123456789-0123456789-0123456789"
    url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    sent = browser.submit(browser.get(url), "/oauth/authorize", user_name="admin", password=PASSWORD)
    assert sent.status_code == 303, sent.text
    back = sent.headers["Location"]
    assert back.startswith(CALLBACK + "?"), back
    assert parse_qs(urlsplit(back).query)["iss"] == [metadata["issuer"]]
    first = session.fetch_token(metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier)
    assert session.get(BASE + "/oauth/info").json()["user_name"] == "admin"

    second = session.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    told = session.introspect_token(metadata["introspection_endpoint"], token=second["access_token"])
    assert told.json()["active"] is True, told.text
    again = refused(lambda: session.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"]))
    assert again == "invalid_grant", again
    told = session.introspect_token(metadata["introspection_endpoint"], token=second["access_token"])
    assert told.json() == {"active": False}, told.text
    assert session.revoke_token(metadata["revocation_endpoint"], token=second["access_token"]).status_code == 200
    print("signed in, refreshed, thrown out")


main()
