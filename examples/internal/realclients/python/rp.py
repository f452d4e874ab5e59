"""A service with Authlib. It takes its configuration from the environment, serves one user, and answers with JSON."""

import os
import secrets
import time
import traceback
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from authlib.integrations.starlette_client import OAuth, OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

env = os.environ
origin = f"http://{env['LISTEN']}"
if env.get("IDPORTEN"):
    JWSRegistry.max_header_length = 8192  # bytes of base64url: headers of tokens have x5c; joserfc's limit is 512
metadata_url = env["ISSUER"] + "/.well-known/openid-configuration"


class Assertion(PrivateKeyJWT):
    """Signs with the key ID of the registration."""

    def __init__(self):
        super().__init__(headers={"kid": env["KEY_ID"]}, alg="ES256")

    def sign(self, auth, token_endpoint):
        # Authlib's audience is the endpoint. The provider accepts the token endpoint if the registration permits it, and the issuer everywhere.
        # ID-porten accepts the issuer only, and assertions of at most two minutes; Authlib's default is an hour.
        self.claims = {}
        if env.get("IDPORTEN") or not token_endpoint.endswith("/token"):
            self.claims["aud"] = env["ISSUER"]
        if env.get("IDPORTEN"):
            self.claims["exp"] = int(time.time()) + 60
        return super().sign(auth, token_endpoint)


def register():
    settings = {"scope": env["SCOPE"], "token_endpoint_auth_method": env["AUTH"], "revocation_endpoint_auth_method": env["AUTH"], "code_challenge_method": "S256"}
    if env.get("RESPONSE_MODE"):
        settings["response_mode"] = env["RESPONSE_MODE"]
    oauth = OAuth()
    common = {"client_id": env["CLIENT_ID"], "server_metadata_url": metadata_url, "client_kwargs": settings}
    if env["AUTH"] == "private_key_jwt":
        key = ECKey.import_key(Path(env["CLIENT_KEY"]).read_text())
        return oauth.register("portner", client_secret=key, client_auth_methods=[Assertion()], **common)
    return oauth.register("portner", client_secret=env["CLIENT_SECRET"], **common)


client = register()
kept = {}
# ID-porten requires client_id beside an assertion; Authlib does not send it by itself.
extra = {"client_id": env["CLIENT_ID"]} if env.get("IDPORTEN") else {}


def answers(handler):
    """Answers with the exceptions of Authlib as JSON."""

    async def handle(request):
        try:
            return await handler(request)
        except OAuthError as e:
            traceback.print_exc()
            return JSONResponse({"failed": str(e), "error": e.error, "description": e.description}, status_code=500)

    return handle


async def endpoint(name):
    return (await client.load_server_metadata())[name]


async def login(request):
    return await client.authorize_redirect(request, origin + "/callback")


async def callback(request):
    token = await client.authorize_access_token(request, **extra)
    kept.update(token)
    return JSONResponse({"claims": token["userinfo"], "userinfo": await client.userinfo(token=token)})


async def refresh(request):
    before = kept["access_token"]
    async with client._get_oauth_client() as session:
        session.token = dict(kept)
        token = await session.refresh_token(await endpoint("token_endpoint"), refresh_token=kept["refresh_token"], **extra)
    kept.update(token)
    info = await client.userinfo(token=token)
    return JSONResponse({"changed": token["access_token"] != before, "sub": info["sub"]})


async def introspect(request):
    async with client._get_oauth_client() as session:
        response = await session.introspect_token(await endpoint("introspection_endpoint"), token=kept["access_token"], body=urlencode(extra))
    return JSONResponse(response.json())


async def revoke(request):
    async with client._get_oauth_client() as session:
        await session.revoke_token(await endpoint("revocation_endpoint"), token=kept["refresh_token"], body=urlencode(extra))
        try:
            await session.refresh_token(await endpoint("token_endpoint"), refresh_token=kept["refresh_token"], **extra)
        except OAuthError as e:
            return JSONResponse({"error": e.error})
    return JSONResponse({"error": None})


async def logout(request):
    return await client.logout_redirect(request, origin + "/goodbye", id_token_hint=kept["id_token"], state=secrets.token_urlsafe())


async def goodbye(request):
    await client.validate_logout_response(request)
    return JSONResponse({"left": True})


handlers = (login, callback, refresh, introspect, revoke, logout, goodbye)
app = Starlette(
    routes=[Route("/" + h.__name__, answers(h), methods=["GET", "POST"]) for h in handlers],
    middleware=[Middleware(SessionMiddleware, secret_key=secrets.token_hex(), https_only=False, same_site="lax")],
)


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("ready", flush=True)


host, port = env["LISTEN"].split(":")
Server(uvicorn.Config(app, host=host, port=int(port), log_level="warning")).run()
