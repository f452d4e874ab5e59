-- Inserts, replaces or rotates a session, and returns the sessions that it ended.
local old_cookie, cookie, session, sessions = unpack(KEYS)
local old_hash, hash, id, user, version, next_version, started, last, stop, clients, record, limit = arguments(4, 12)
limit = tonumber(limit)

local before = replied()
if before then
  return before
end

local function live_session_of(user)
  local s = load_session(id)
  return s and now < s.stop and s.user == user and s
end

local same = live_session_of(user)
if hash ~= old_hash and same and same.hash == hash then
  return { 'ok' } -- a retry
end

local old
if old_hash ~= '' then
  old = find_session(old_cookie, old_hash)
  if not old then
    return { 'not found' }
  end
end

local number
if old and old.id == id then
  if old.version ~= version or old.user ~= user or (hash ~= old_hash and redis.call('EXISTS', cookie) == 1) then
    return { 'conflict' }
  end
  number, version = old.number, next_version
end

-- live_others returns the other live sessions of the user, oldest first, and forgets those that Redis has collected.
local function live_others()
  local others, list = {}, redis.call('HGETALL', sessions)
  for i = 1, #list, 2 do
    local other, entry = list[i], list[i + 1]
    if other ~= id and now < entry:sub(21, 40) then
      table.insert(others, { id = other, age = entry:sub(1, 20) .. entry:sub(41) })
    elseif redis.call('EXISTS', key('session', other)) == 0 then
      redis.call('HDEL', sessions, other)
    end
  end
  table.sort(others, function(a, b) return a.age < b.age end)
  return others
end

local most = 1000 -- live sessions of one user
local function is_full()
  local room = most
  if limit >= 1 and limit <= most then
    room = most + 1 -- the oldest one ends
  end
  return redis.call('HLEN', sessions) >= room and #live_others() >= room
end

if not number then
  if is_full() then
    return { 'full' }
  end
  if redis.call('EXISTS', cookie) == 1 or redis.call('EXISTS', session) == 1 then
    return { 'conflict' }
  end
  number = next_number()
end

redis.call('HSET', session, 'number', number, 'user', user, 'hash', hash, 'version', version, 'started', started, 'last', last,
  'stop', stop, 'clients', clients, 'record', record)
keep(session, stop)
redis.call('SET', cookie, id, 'KEEPTTL')
keep(cookie, stop)
list_session({ id = id, user = user, started = started, stop = stop, number = number })

local ended = {}
if old and old.id ~= id then
  end_session(old)
  table.insert(ended, session_reply(old))
elseif old and hash ~= old_hash then
  redis.call('DEL', old_cookie)
end
if limit >= 1 and redis.call('HLEN', sessions) > limit then
  local others = live_others()
  for i = 1, #others + 1 - limit do
    local s = load_session(others[i].id)
    if s then
      end_session(s)
      table.insert(ended, session_reply(s))
    end
  end
end
return remember({ 'ok', ended })
