-- Returns an access token and its grant.
local access = KEYS[1]
arguments(1, 0)

local a = load(access, { 'grant', 'stop', 'record' })
local g = a and load_grant(a.grant)
local verdict = grant_verdict(g) or 'ok'
if verdict == 'not found' or now >= a.stop then
  return { 'not found' }
end
return { verdict, { a.stop, a.record }, grant_reply(g) }
