-- Consumes or renews a refresh token, and inserts an access token and the successor. The rotated token remains until its grant
-- expires.
local refresh, access, successor = unpack(KEYS)
local hash, since, id, access_stop, access_record, next_hash, next_stop, generation = arguments(3, 8)

if resent(access) then
  return 'ok'
end
local t = load(refresh, refresh_fields)
local g = t and load_state(t.grant)
local verdict = refresh_verdict(t, g)

-- may_retry reports whether the token was rotated after since to the same successor, which is live and was not used.
local function may_retry()
  if next_hash == '' or t.successor ~= next_hash or t.consumed <= since then
    return false
  end
  local n = load(successor, refresh_fields)
  return n and n.used == '' and not refresh_verdict(n, g)
end

local retry = verdict == 'consumed' and may_retry()
if verdict and not retry then
  return verdict
end
local renewed = next_hash == hash
local inserts = next_hash ~= '' and not renewed and not retry
if t.grant ~= id or redis.call('EXISTS', access) == 1 or (inserts and redis.call('EXISTS', successor) == 1) then
  return 'conflict'
end

insert_access(access, id, access_stop, g.stop, access_record)
if retry then
  return 'ok'
end
if inserts then
  insert_refresh(successor, id, next_stop, g.stop, generation)
end
if renewed then
  redis.call('HSET', refresh, 'used', '1', 'generation', generation, 'stop', next_stop)
  keep(refresh, earlier(next_stop, g.stop))
else
  redis.call('HSET', refresh, 'used', '1', 'consumed', now, 'successor', next_hash)
  keep(refresh, g.stop)
end
return 'ok'
