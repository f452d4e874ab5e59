// A service with openid-client. It takes its configuration from the environment, serves one user, and answers with JSON.
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { readFileSync } from 'node:fs'
import * as oidc from 'openid-client'

const { LISTEN, ISSUER, CLIENT_ID, CLIENT_SECRET, CLIENT_KEY, KEY_ID, AUTH, SCOPE, PAR, DPOP, JARM, SIGNED_REQUEST, SERVER_CERTIFICATE, SERVER_KEY, RESPONSE_MODE } = process.env
const origin = `${SERVER_CERTIFICATE ? 'https' : 'http'}://${LISTEN}`

async function signingKey() {
  const der = Buffer.from(readFileSync(CLIENT_KEY, 'utf8').replace(/-----[^-]+-----|\s/g, ''), 'base64')
  return { key: await crypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']), kid: KEY_ID }
}

async function authentication() {
  switch (AUTH) {
    case 'client_secret_basic': return oidc.ClientSecretBasic(CLIENT_SECRET)
    case 'client_secret_post': return oidc.ClientSecretPost(CLIENT_SECRET)
    case 'none': return oidc.None()
    case 'private_key_jwt': return oidc.PrivateKeyJwt(await signingKey())
    default: throw new Error(`unknown AUTH ${AUTH}`)
  }
}

let config, bound, checks, tokens, goodbye
const challenges = {} // how often each path of the provider has asked for a DPoP nonce

// counted is fetch, and counts the challenges.
async function counted(url, options) {
  const response = await fetch(url, options)
  const path = new URL(url).pathname
  if (response.status === 400 && (await response.clone().text()).includes('use_dpop_nonce')) challenges[path] = (challenges[path] ?? 0) + 1
  return response
}

// configured reads the provider's metadata at first. With DPOP, bound has the key of all requests.
async function configured() {
  if (config) return
  config = await oidc.discovery(new URL(ISSUER), CLIENT_ID, undefined, await authentication(), { [oidc.customFetch]: counted })
  if (JARM) oidc.useJwtResponseMode(config)
  if (DPOP) bound = { DPoP: oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair()) }
}

const routes = {
  // Its query has further parameters of the authorization request.
  '/login': async (request) => {
    await configured()
    const verifier = oidc.randomPKCECodeVerifier()
    checks = { pkceCodeVerifier: verifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true }
    let parameters = {
      redirect_uri: `${origin}/callback`, scope: SCOPE, state: checks.expectedState, nonce: checks.expectedNonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    }
    if (RESPONSE_MODE) parameters.response_mode = RESPONSE_MODE
    Object.assign(parameters, Object.fromEntries(new URL(request.url).searchParams))
    if (SIGNED_REQUEST) parameters = (await oidc.buildAuthorizationUrlWithJAR(config, parameters, await signingKey())).searchParams
    return PAR ? oidc.buildAuthorizationUrlWithPAR(config, parameters, bound) : oidc.buildAuthorizationUrl(config, parameters)
  },
  '/callback': async (request) => {
    tokens = await oidc.authorizationCodeGrant(config, request, checks, undefined, bound)
    return { claims: tokens.claims(), userinfo: await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub, bound) }
  },
  '/refresh': async () => {
    const before = tokens
    const after = await oidc.refreshTokenGrant(config, before.refresh_token, undefined, bound)
    tokens = { ...after, id_token: after.id_token ?? before.id_token, refresh_token: after.refresh_token ?? before.refresh_token }
    const info = await oidc.fetchUserInfo(config, after.access_token, before.claims().sub, bound)
    return { changed: after.access_token !== before.access_token, sub: info.sub, claims: after.claims() ?? null }
  },
  '/machine': async (request) => {
    await configured()
    const scope = new URL(request.url).searchParams.get('scope')
    tokens = await oidc.clientCredentialsGrant(config, { scope }, bound)
    return { token_type: tokens.token_type, scope: tokens.scope }
  },
  '/call': async (request) => {
    const api = new URL(new URL(request.url).searchParams.get('url'))
    const response = await oidc.fetchProtectedResource(config, tokens.access_token, api, 'GET', undefined, undefined, bound)
    return { status: response.status, body: await response.json() }
  },
  '/token': async () => ({ access_token: tokens.access_token }),
  '/challenges': async () => challenges,
  '/introspect': async () => oidc.tokenIntrospection(config, tokens.access_token),
  '/revoke': async () => {
    await oidc.tokenRevocation(config, tokens.refresh_token)
    try {
      await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, bound)
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

async function serve(incoming, outgoing) {
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
}

const server = SERVER_CERTIFICATE ? createSecureServer({ cert: readFileSync(SERVER_CERTIFICATE), key: readFileSync(SERVER_KEY) }, serve) : createServer(serve)
server.listen(Number(LISTEN.split(':')[1]), LISTEN.split(':')[0], () => console.log('ready'))
