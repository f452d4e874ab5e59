// A vendor of Altinn with openid-client and jose: vendor.mjs STEP. It takes its configuration from the environment, and answers with JSON.
import { readFileSync } from 'node:fs'
import { SignJWT, importPKCS8 } from 'jose'
import * as oauth from 'openid-client'

const { ISSUER, ALTINN, API, CLIENT_ID, CLIENT_KEY, KEY_ID, CUSTOMER, SCOPE, SYSTEM, VENDOR, VENDOR_SCOPE } = process.env
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const systemUser = [{ type: 'urn:altinn:systemuser', systemuser_org: { authority: 'iso6523-actorid-upis', ID: `0192:${CUSTOMER}` } }]

const config = await oauth.discovery(new URL(ISSUER), CLIENT_ID, undefined, oauth.None(), { algorithm: 'oauth2' })
const key = await importPKCS8(readFileSync(CLIENT_KEY, 'utf8'), 'RS256')

async function grant(scope, claims = {}) {
  const assertion = await new SignJWT({ scope, ...claims }).setProtectedHeader({ alg: 'RS256', kid: KEY_ID }).setIssuer(CLIENT_ID)
    .setAudience(config.serverMetadata().issuer).setIssuedAt().setExpirationTime('60s').setJti(crypto.randomUUID()).sign(key)
  return oauth.genericGrantRequest(config, jwtBearer, { assertion })
}

const get = (url, token) => fetch(url, { headers: { authorization: `Bearer ${token}` } })

async function answer(response) {
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return response.json()
}

const steps = {
  request: async () => {
    const rights = [{ resource: [{ id: 'urn:altinn:resource', value: 'mva-melding' }] }]
    const { access_token } = await grant(VENDOR_SCOPE)
    const post = async (path, body) => answer(await fetch(`${ALTINN}/authentication/api/v1/${path}`, {
      method: 'POST', headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' }, body: JSON.stringify(body),
    }))
    await post('systemregister/vendor', {
      id: SYSTEM, vendor: { ID: `0192:${VENDOR}` }, name: { nb: 'Regnskap' }, description: { nb: 'Regnskap i skyen' }, rights, clientId: [CLIENT_ID],
    })
    return post('systemuser/request/vendor', { systemId: SYSTEM, partyOrgNo: CUSTOMER, rights })
  },
  token: async () => {
    try {
      return (await grant(SCOPE, { authorization_details: systemUser })).authorization_details[0]
    } catch (e) {
      return { error: e.error, description: e.error_description }
    }
  },
  call: async () => {
    const [plain, user, next] = [await grant(SCOPE), await grant(SCOPE, { authorization_details: systemUser }), await grant(SCOPE, { authorization_details: systemUser })]
    const exchanged = await (await get(`${ALTINN}/authentication/api/v1/exchange/maskinporten`, next.access_token)).text()
    return {
      refused: (await get(API, plain.access_token)).status, first: await answer(await get(API, user.access_token)), again: await answer(await get(API, next.access_token)),
      new_token: user.access_token !== next.access_token, altinn: await answer(await get(`${ALTINN}/api/meg`, exchanged)),
    }
  },
}

console.log(JSON.stringify(await steps[process.argv[2]]()))
