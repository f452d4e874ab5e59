-- Inserts the outcome of an authorization request: a code or a denial, the answers of the user, and the visit of the session.
local request, code, grant, session, consents = unpack(KEYS)
if #KEYS ~= 5 or #ARGV < 19 or #ARGV ~= 19 + tonumber(ARGV[18]) + 4 * tonumber(ARGV[19]) then
  error('wrong number of keys or arguments')
end
local hash, id, user, session_id, owner, stop, retained, record = unpack(ARGV, 4, 11)
local visited, visit_at, visit_stop, visit_client, visit_open, visit_entry = unpack(ARGV, 12, 17)
local declined, granted = tonumber(ARGV[18]), tonumber(ARGV[19])

local s
if session_id ~= '' then
  s = load_session(session_id)
  if not admits(s, user) then
    return 'revoked'
  end
end

local first = redis.call('GET', request)
if first then
  if first ~= hash then
    return 'conflict'
  end
  if hash ~= '' and code_verdict(load(code, code_fields)) then
    return 'consumed'
  end
  return 'ok'
end
if hash ~= '' and redis.call('EXISTS', code, grant) > 0 then
  return 'conflict'
end

redis.call('SET', request, hash)
expire(request, retained)
if hash ~= '' then
  local in_session, in_authorization = '', ''
  if s then
    in_session = refer(s.number, session_id)
    keep(session, retained)
  end
  if user ~= '' then
    in_authorization = join(owner, retained)
  end
  redis.call('HSET', code, 'stop', stop, 'retained', retained, 'grant', id, 'owner', owner, 'session', in_session,
    'authorization', in_authorization, 'record', record)
  expire(code, retained)
  redis.call('HSET', grant, 'code', hash)
  expire(grant, retained)
end

-- text returns the text at a position of a list of texts, and the position of the next one. A text is its length, a colon and its
-- bytes.
local function text(list, at)
  local _, colon, length = list:find('^(%d+):', at)
  local last = colon + tonumber(length)
  return list:sub(colon + 1, last), last + 1
end

-- visit_client_of returns the clients of a session after the visit. There are three texts for each: its ID, '1' if it is open or '0'
-- and the instant of the login, and its sid.
local function visit_client_of(list)
  local at = 1
  while at <= #list do
    local name, second = text(list, at)
    local _, third = text(list, second)
    local open = second + 3 -- after "21:"
    _, at = text(list, third)
    if name == visit_client then
      if visit_open == '0' then
        list = list:sub(1, open - 1) .. '0' .. list:sub(open + 1)
      end
      return list
    end
  end
  return list .. visit_entry
end

if s and visited == '1' then
  redis.call('HINCRBY', session, 'version', 1)
  redis.call('HSET', session, 'clients', visit_client_of(s.clients))
  if s.last < visit_at then
    redis.call('HSET', session, 'last', visit_at)
  end
  if s.stop < visit_stop then
    s.stop = visit_stop
    redis.call('HSET', session, 'stop', visit_stop)
    keep(session, visit_stop)
    keep(key('cookie', s.hash), visit_stop)
    list_session(s)
  end
end

-- A consent is the instants at which it was granted and at which it ends, and the version.
local at = 20
local declines = at + 4 * granted
for i = at, declines - 1, 4 do
  local scope, from, till, version = unpack(ARGV, i, i + 3)
  local old = redis.call('HGET', consents, scope)
  local renews = old and old:sub(41) == version
  if renews and now < old:sub(21, 40) then
    from = old:sub(1, 20)
  end
  if not renews or till > old:sub(21, 40) then
    redis.call('HSET', consents, scope, from .. till .. version)
    keep(consents, till)
  end
end
for i = declines, #ARGV do
  redis.call('HDEL', consents, ARGV[i])
end
return 'ok'
