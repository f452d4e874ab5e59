"""A vendor of Altinn with Authlib and requests: vendor.py STEP. It takes its configuration from the environment, and answers with JSON."""

import json
import os
import sys
from pathlib import Path

import requests
from authlib.integrations.requests_client import AssertionSession
from authlib.oauth2 import OAuth2Error
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

env = os.environ
JWSRegistry.max_header_length = 8192
key = RSAKey.import_key(Path(env["CLIENT_KEY"]).read_text())
metadata = requests.get(env["ISSUER"] + ".well-known/oauth-authorization-server", timeout=60).json()
system_user = [{"type": "urn:altinn:systemuser", "systemuser_org": {"authority": "iso6523-actorid-upis", "ID": "0192:" + env["CUSTOMER"]}}]


class Session(AssertionSession):
    """Requests tokens of Maskinporten."""

    def refresh_token(self):
        # Authlib keeps the jti of its first assertion in claims, and Maskinporten accepts each once (MP-012).
        self.claims.pop("jti", None)
        return super().refresh_token()


def session(scope, **claims):
    return Session(
        metadata["token_endpoint"], issuer=env["CLIENT_ID"], subject=None, audience=metadata["issuer"], claims={"scope": scope, **claims}, key=key,
        header={"alg": "RS256", "kid": env["KEY_ID"]}, expires_in=60,
    )


def answer(response):
    response.raise_for_status()
    return response.json()


def request():
    rights = [{"resource": [{"id": "urn:altinn:resource", "value": "mva-melding"}]}]
    base, vendor = env["ALTINN"] + "/authentication/api/v1/", session(env["VENDOR_SCOPE"])
    system = {
        "id": env["SYSTEM"], "vendor": {"ID": "0192:" + env["VENDOR"]}, "name": {"nb": "Regnskap"}, "description": {"nb": "Regnskap i skyen"}, "rights": rights,
        "clientId": [env["CLIENT_ID"]],
    }
    answer(vendor.post(base + "systemregister/vendor", json=system))
    return answer(vendor.post(base + "systemuser/request/vendor", json={"systemId": env["SYSTEM"], "partyOrgNo": env["CUSTOMER"], "rights": rights}))


def token():
    try:
        return session(env["SCOPE"], authorization_details=system_user).refresh_token()["authorization_details"][0]
    except OAuth2Error as e:
        return {"error": e.error, "description": e.description}


def call():
    plain, user = session(env["SCOPE"]), session(env["SCOPE"], authorization_details=system_user)
    refused = plain.get(env["API"])
    first = answer(user.get(env["API"]))
    before = user.token["access_token"]
    user.refresh_token()
    exchanged = user.get(env["ALTINN"] + "/authentication/api/v1/exchange/maskinporten").text
    return {
        "refused": refused.status_code, "first": first, "again": answer(user.get(env["API"])), "new_token": user.token["access_token"] != before,
        "altinn": answer(requests.get(env["ALTINN"] + "/api/meg", headers={"Authorization": "Bearer " + exchanged}, timeout=60)),
    }


print(json.dumps({"request": request, "token": token, "call": call}[sys.argv[1]]()))
