-- An access token is the hash access:HASH, and a refresh token the hash refresh:HASH. A rotated token remains until its grant expires.

-- resent reports whether this call has inserted the access token: the client sent the script again because it received no answer.
local function resent(access)
  return redis.call('HGET', access, 'call') == call
end

local function earlier(a, b)
  return a < b and a or b
end

local function insert_access(name, id, stop, grant_stop, record)
  redis.call('HSET', name, 'grant', id, 'stop', stop, 'call', call, 'record', record)
  expire(name, earlier(stop, grant_stop))
end

local function insert_refresh(name, id, stop, grant_stop, generation)
  redis.call('HSET', name, 'grant', id, 'stop', stop, 'generation', generation)
  expire(name, earlier(stop, grant_stop))
end

local refresh_fields = { 'grant', 'stop', 'generation', 'consumed', 'successor', 'used' }

-- refresh_verdict returns nil if the token t of the grant g can be rotated.
local function refresh_verdict(t, g)
  if not t or (t.consumed == '' and now >= t.stop) then
    return 'not found'
  end
  return grant_verdict(g) or (t.consumed ~= '' and 'consumed' or nil)
end

-- issue writes a grant and its tokens. What it ends with is in the references session and authorization.
local function issue(grant, access, refresh, i)
  redis.call('HSET', grant, 'user', i.user, 'created', i.created, 'stop', i.stop, 'record', i.record,
    'session', i.session, 'authorization', i.authorization)
  keep(grant, i.stop)
  insert_access(access, i.id, i.access_stop, i.stop, i.access_record)
  if i.refresh_stop ~= '' then
    insert_refresh(refresh, i.id, i.refresh_stop, i.stop, i.generation)
  end
  if i.user ~= '' then
    local grants = key('grants', i.user)
    redis.call('ZADD', grants, 0, i.created .. i.id)
    keep(grants, i.stop)
  end
end
