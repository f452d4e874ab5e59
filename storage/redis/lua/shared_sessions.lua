-- A session is the hash session:ID. It has a number as long as it has not ended; codes and grants refer to the session by ID and
-- number, and so end with it. What remains after the end reserves the ID, and cookie:HASH reserves the hash of the cookie.

local session_fields = { 'number', 'user', 'hash', 'version', 'started', 'last', 'stop', 'clients', 'record' }

-- load_session returns a session that has not ended, or nil. It may have expired.
local function load_session(id)
  local s = load(key('session', id), session_fields)
  if s then
    s.id = id
  end
  return s
end

-- find_session returns the live session of a cookie, or nil.
local function find_session(cookie, hash)
  local id = redis.call('GET', cookie)
  local s = id and load_session(id)
  if s and s.hash == hash and now < s.stop then
    return s
  end
end

-- admits reports whether a grant of the user can be inserted in the session.
local function admits(s, user)
  return s and s.user == user and now < s.stop
end

-- session_reply returns a session as the caller decodes it.
local function session_reply(s)
  return { s.id, s.user, s.hash, s.version, s.started, s.last, s.stop, s.clients, s.record }
end

-- list_session puts a live session into the list of those of its user.
local function list_session(s)
  local sessions = key('sessions', s.user)
  redis.call('HSET', sessions, s.id, s.started .. s.stop .. string.rep('0', 20 - #s.number) .. s.number)
  keep(sessions, s.stop)
end

local reserved = 16 -- sessions of a user that ended last

-- end_session ends a session that load_session returned.
local function end_session(s)
  local name, ended = key('session', s.id), key('ended', s.user)
  redis.call('DEL', name)
  redis.call('HSET', name, 'user', s.user, 'hash', s.hash)
  expire(name, s.stop)
  redis.call('HDEL', key('sessions', s.user), s.id)
  redis.call('LPUSH', ended, s.id)
  keep(ended, s.stop)
  while redis.call('LLEN', ended) > reserved do
    local oldest = key('session', redis.call('RPOP', ended))
    local number, hash = unpack(redis.call('HMGET', oldest, 'number', 'hash'))
    if hash and not number then
      redis.call('DEL', oldest, key('cookie', hash))
    end
  end
end
