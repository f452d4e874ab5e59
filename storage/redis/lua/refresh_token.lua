-- Returns a refresh token and its grant.
local refresh = KEYS[1]
arguments(1, 0)

local t = load(refresh, refresh_fields)
local g = t and load_grant(t.grant)
local verdict = refresh_verdict(t, g) or 'ok'
if verdict == 'not found' then
  return { verdict }
end
local successor_used = ''
if t.successor ~= '' then
  successor_used = redis.call('HGET', key('refresh', t.successor), 'used') or ''
end
return { verdict, { t.stop, t.generation, t.consumed, t.successor, successor_used }, grant_reply(g) }
