"""A service with requests_oauth2client and DPoP. It takes its configuration from the environment, serves one user, and answers with JSON."""

import json
import os
import ssl
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests
from jwskate import Jwk
from requests_oauth2client import DPoPKey, OAuth2Client, PrivateKeyJwt

env = os.environ
origin = f"https://{env['LISTEN']}"
kept = {}
challenges = {}


def counted(response, *_args, **_kwargs):
    """Counts how often each path of the provider has asked for a DPoP nonce."""
    if response.status_code == 400 and "use_dpop_nonce" in response.text:
        path = urlsplit(response.url).path
        challenges[path] = challenges.get(path, 0) + 1
    return response


session = requests.Session()
session.hooks["response"].append(counted)


def client():
    if "client" not in kept:
        key = Jwk(dict(Jwk.from_pem(Path(env["CLIENT_KEY"]).read_text())) | {"kid": env["KEY_ID"]})
        # The audience is the endpoint by default. FAPI 2.0 accepts the issuer only.
        auth = PrivateKeyJwt(env["CLIENT_ID"], key, alg="ES256", aud=env["ISSUER"])
        kept["client"] = OAuth2Client.from_discovery_endpoint(
            issuer=env["ISSUER"], auth=auth, redirect_uri=origin + "/callback", id_token_signed_response_alg="ES256", dpop_bound_access_tokens=True,
            session=session,
        )
        kept["key"] = DPoPKey.generate()
    return kept["client"]


def login(_query):
    request = client().authorization_request(scope=env["SCOPE"], dpop_key=kept["key"])
    kept["request"] = request
    return str(client().pushed_authorization_request(request).uri)


def callback(query):
    answer = kept["request"].validate_callback(origin + "/callback?" + query)
    kept["token"] = client().authorization_code(answer, validate=False)  # validate_id_token of version 1.8.0 fails for DPoP tokens
    id_token = kept["token"].id_token
    claims = dict(id_token.claims)
    if not id_token.verify_signature(client().authorization_server_jwks, alg="ES256"):
        raise ValueError("the signature of the id_token is invalid")
    if (claims["iss"], claims["aud"], claims["nonce"]) != (env["ISSUER"], env["CLIENT_ID"], kept["request"].nonce):
        raise ValueError("the id_token is of another login")
    return {"claims": claims, "userinfo": client().userinfo(kept["token"]), "token_type": kept["token"].token_type}


def refresh(_query):
    before = kept["token"]
    after = client().refresh_token(before)
    kept["token"] = after
    return {"changed": after.access_token != before.access_token, "sub": client().userinfo(after)["sub"], "token_type": after.token_type}


def machine(query):
    kept["token"] = client().client_credentials(scope=parse_qs(query)["scope"][0], dpop_key=kept["key"])
    return {"token_type": kept["token"].token_type, "scope": kept["token"].scope}


def call(query):
    response = session.get(parse_qs(query)["url"][0], auth=kept["token"])
    return {"status": response.status_code, "body": response.json()}


def token(_query):
    return {"access_token": kept["token"].access_token}


routes = {"/" + r.__name__: r for r in (login, callback, refresh, machine, call, token)} | {"/challenges": lambda _query: challenges}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        try:
            client()
            answer = routes[url.path](url.query)
        except Exception as e:
            traceback.print_exc()
            self.answer(500, {"failed": repr(e)})
            return
        if isinstance(answer, str):
            self.send_response(302)
            self.send_header("Location", answer)
            self.end_headers()
        else:
            self.answer(200, answer)

    def answer(self, status, content):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content, default=str).encode())

    def log_message(self, *_args):
        pass


host, port = env["LISTEN"].split(":")
server = HTTPServer((host, int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(env["SERVER_CERTIFICATE"], env["SERVER_KEY"])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    pass
