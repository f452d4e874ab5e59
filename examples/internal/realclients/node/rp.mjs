// A service with openid-client. It takes its configuration from the environment, serves one user, and answers with JSON.
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import * as oidc from 'openid-client'

const { LISTEN, ISSUER, CLIENT_ID, CLIENT_SECRET, CLIENT_KEY, KEY_ID, AUTH, SCOPE, PAR, RESPONSE_MODE } = process.env
const origin = `http://${LISTEN}`

async function authentication() {
  switch (AUTH) {
    case 'client_secret_basic': return oidc.ClientSecretBasic(CLIENT_SECRET)
    case 'client_secret_post': return oidc.ClientSecretPost(CLIENT_SECRET)
    case 'none': return oidc.None()
    case 'private_key_jwt': {
      const der = Buffer.from(readFileSync(CLIENT_KEY, 'utf8').replace(/-----[^-]+-----|\s/g, ''), 'base64')
      const key = await crypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
      return oidc.PrivateKeyJwt({ key, kid: KEY_ID })
    }
    default: throw new Error(`unknown AUTH ${AUTH}`)
  }
}

let config, checks, tokens, goodbye

const routes = {
  '/login': async () => {
    config ??= await oidc.discovery(new URL(ISSUER), CLIENT_ID, undefined, await authentication())
    const verifier = oidc.randomPKCECodeVerifier()
    checks = { pkceCodeVerifier: verifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true }
    const parameters = {
      redirect_uri: `${origin}/callback`, scope: SCOPE, state: checks.expectedState, nonce: checks.expectedNonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    }
    if (RESPONSE_MODE) parameters.response_mode = RESPONSE_MODE
    return PAR ? oidc.buildAuthorizationUrlWithPAR(config, parameters) : oidc.buildAuthorizationUrl(config, parameters)
  },
  '/callback': async (request) => {
    tokens = await oidc.authorizationCodeGrant(config, request, checks)
    return { claims: tokens.claims(), userinfo: await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub) }
  },
  '/refresh': async () => {
    const before = tokens
    const after = await oidc.refreshTokenGrant(config, before.refresh_token)
    tokens = { ...after, id_token: after.id_token ?? before.id_token }
    const info = await oidc.fetchUserInfo(config, after.access_token, before.claims().sub)
    return { changed: after.access_token !== before.access_token, sub: info.sub, claims: after.claims() ?? null }
  },
  '/introspect': async () => oidc.tokenIntrospection(config, tokens.access_token),
  '/revoke': async () => {
    await oidc.tokenRevocation(config, tokens.refresh_token)
    try {
      await oidc.refreshTokenGrant(config, tokens.refresh_token)
      return { error: null }
    } catch (e) {
      return { error: e.error }
    }
  },
  '/logout': async () => {
    goodbye = oidc.randomState()
    return oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: `${origin}/goodbye`, state: goodbye })
  },
  '/goodbye': async (request) => ({ left: new URL(request.url).searchParams.get('state') === goodbye }),
}

async function body(incoming) {
  const parts = []
  for await (const part of incoming) parts.push(part)
  return Buffer.concat(parts)
}

createServer(async (incoming, outgoing) => {
  const url = new URL(incoming.url, origin)
  const route = routes[url.pathname]
  if (!route) return outgoing.writeHead(404).end()
  try {
    const content = incoming.method === 'POST' ? await body(incoming) : undefined
    const answer = await route(new Request(url, { method: incoming.method, headers: incoming.headers, body: content }))
    if (answer instanceof URL) return outgoing.writeHead(302, { location: answer.href }).end()
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  } catch (e) {
    console.error(e)
    outgoing.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ failed: `${e}`, cause: `${e.cause}`, error: e.error, description: e.error_description }))
  }
}).listen(Number(LISTEN.split(':')[1]), LISTEN.split(':')[0], () => console.log('ready'))
