// A service and an API with oauth4webapi. It takes its configuration from the environment, serves one user, and answers with JSON.
import { createServer } from 'node:https'
import { readFileSync } from 'node:fs'
import { Agent, fetch as fetchWith } from 'undici'
import * as oauth from 'oauth4webapi'

const { LISTEN, ISSUER, CLIENT_ID, CLIENT_KEY, KEY_ID, AUTH, SCOPE, DPOP, JARM, SIGNED_REQUEST, SERVER_CERTIFICATE, SERVER_KEY, RESPONSE_MODE, CERTIFICATE, CERTIFICATE_KEY, INTROSPECTION_ALG } = process.env
const origin = `https://${LISTEN}`
const callback = `${origin}/callback`

// A client with a certificate uses the endpoints of mtls_endpoint_aliases.
const agent = CERTIFICATE && new Agent({ connect: { cert: readFileSync(CERTIFICATE), key: readFileSync(CERTIFICATE_KEY) } })
const client = { client_id: CLIENT_ID, use_mtls_endpoint_aliases: !!CERTIFICATE }
if (INTROSPECTION_ALG) client.introspection_signed_response_alg = INTROSPECTION_ALG
const http = { [oauth.customFetch]: (url, options) => (agent ? fetchWith(url, { ...options, dispatcher: agent }) : fetch(url, options)) }

async function signingKey() {
  const der = Buffer.from(readFileSync(CLIENT_KEY, 'utf8').replace(/-----[^-]+-----|\s/g, ''), 'base64')
  return { key: await crypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']), kid: KEY_ID }
}

let as, authentication, proofs, expected, tokens, subject
const challenges = {} // how often each path has asked for a DPoP nonce

async function configured() {
  if (as) return
  const issuer = new URL(ISSUER)
  as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http))
  authentication = AUTH === 'private_key_jwt' ? oauth.PrivateKeyJwt(await signingKey()) : oauth.TlsClientAuth()
  if (DPOP) proofs = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
}

// proven makes a request with a proof, and repeats it once if it was refused for its nonce.
async function proven(url, request) {
  const options = { ...http, DPoP: proofs }
  try {
    return await request(options)
  } catch (e) {
    if (!oauth.isDPoPNonceError(e)) throw e
    const path = new URL(url).pathname
    challenges[path] = (challenges[path] ?? 0) + 1
    return request(options)
  }
}

async function userinfo() {
  return proven(as.userinfo_endpoint, async (o) => oauth.processUserInfoResponse(as, client, subject, await oauth.userInfoRequest(as, client, tokens.access_token, o)))
}

const routes = {
  // Its query has further parameters of the authorization request.
  '/login': async (request) => {
    await configured()
    expected = { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() }
    let parameters = {
      response_type: 'code', redirect_uri: callback, scope: SCOPE, state: expected.state, nonce: expected.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(expected.verifier), code_challenge_method: 'S256',
    }
    if (RESPONSE_MODE) parameters.response_mode = RESPONSE_MODE
    Object.assign(parameters, Object.fromEntries(new URL(request.url).searchParams))
    if (DPOP === 'dpop_jkt') parameters.dpop_jkt = await proofs.calculateThumbprint() // instead of a proof
    if (SIGNED_REQUEST) parameters = { request: await oauth.issueRequestObject(as, client, parameters, await signingKey()) }
    const push = async (o) => oauth.processPushedAuthorizationResponse(as, client, await oauth.pushedAuthorizationRequest(as, client, authentication, parameters, o))
    const { request_uri } = await (DPOP === 'dpop_jkt' ? push(http) : proven(as.pushed_authorization_request_endpoint, push))
    const url = new URL(as.authorization_endpoint)
    url.search = new URLSearchParams({ client_id: CLIENT_ID, request_uri })
    return url
  },
  '/callback': async (request) => {
    const response = request.method === 'POST' ? new URLSearchParams(await request.text()) : new URL(request.url).searchParams
    const parameters = JARM
      ? await oauth.validateJwtAuthResponse(as, client, response, expected.state, http)
      : oauth.validateAuthResponse(as, client, response, expected.state)
    tokens = await proven(as.token_endpoint, async (o) => {
      const answer = await oauth.authorizationCodeGrantRequest(as, client, authentication, parameters, callback, expected.verifier, o)
      return oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: expected.nonce, requireIdToken: true })
    })
    const claims = oauth.getValidatedIdTokenClaims(tokens)
    subject = claims.sub
    return { claims, userinfo: await userinfo(), token_type: tokens.token_type, parameters: [...response.keys()] }
  },
  '/refresh': async () => {
    const before = tokens
    const after = await proven(as.token_endpoint, async (o) =>
      oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, authentication, before.refresh_token, o)))
    tokens = { ...after, refresh_token: after.refresh_token ?? before.refresh_token }
    return { changed: after.access_token !== before.access_token, sub: (await userinfo()).sub, token_type: after.token_type }
  },
  '/machine': async (request) => {
    await configured()
    const parameters = { scope: new URL(request.url).searchParams.get('scope') }
    tokens = await proven(as.token_endpoint, async (o) =>
      oauth.processClientCredentialsResponse(as, client, await oauth.clientCredentialsGrantRequest(as, client, authentication, parameters, o)))
    return { token_type: tokens.token_type, scope: tokens.scope }
  },
  '/call': async (request) => {
    const url = new URL(new URL(request.url).searchParams.get('url'))
    const response = await proven(url, (o) => oauth.protectedResourceRequest(tokens.access_token, 'GET', url, new Headers(), undefined, o))
    return { status: response.status, body: await response.json() }
  },
  // The metadata of an API, which is found by the challenge to a request without a token (RFC 9728 §5.1).
  '/metadata': async (request) => {
    const resource = new URL(new URL(request.url).searchParams.get('resource'))
    const metadata = await oauth.processResourceDiscoveryResponse(resource, await oauth.resourceDiscoveryRequest(resource, http))
    const refused = await fetch(new URL('/who', resource))
    return { ...metadata, challenge: refused.headers.get('www-authenticate') }
  },
  '/introspect': async (request) => {
    await configured()
    const token = new URL(request.url).searchParams.get('token') ?? tokens.access_token
    const response = await oauth.introspectionRequest(as, client, authentication, token, { ...http, requestJwtResponse: !!INTROSPECTION_ALG })
    const result = await oauth.processIntrospectionResponse(as, client, response)
    if (INTROSPECTION_ALG) await oauth.validateApplicationLevelSignature(as, response, http)
    return { type: response.headers.get('content-type'), ...result }
  },
  '/token': async () => ({ access_token: tokens.access_token }),
  '/challenges': async () => challenges,
  // The API: an access token with a proof, for the audience of the client.
  '/who': async (request) => {
    await configured()
    return oauth.validateJwtAccessToken(as, request, process.env.AUDIENCE, http)
  },
}

async function body(incoming) {
  const parts = []
  for await (const part of incoming) parts.push(part)
  return Buffer.concat(parts)
}

createServer({ cert: readFileSync(SERVER_CERTIFICATE), key: readFileSync(SERVER_KEY) }, async (incoming, outgoing) => {
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
    const status = url.pathname === '/who' ? 401 : 500
    outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ failed: `${e}`, code: e.code, error: e.error, description: e.error_description }))
  }
}).listen(Number(LISTEN.split(':')[1]), LISTEN.split(':')[0], () => console.log('ready'))
