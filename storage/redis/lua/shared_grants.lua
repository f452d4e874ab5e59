-- A code is the hash code:HASH, and its grant the hash grant:ID, which reserves the ID from the code on and has a record once the
-- code was redeemed. Both refer to what they end with: "NUMBER:NAME" of a session or of an authorization, or ''. An authorization is
-- the string authorization:NAME, which is deleted when it is revoked. A reference to something that is missing is one to something
-- that has ended.

local function refer(number, name)
  return number .. ':' .. name
end

local function session_ended(reference)
  if reference == '' then
    return false
  end
  local number, id = reference:match('^(%d+):(.*)$')
  return redis.call('HGET', key('session', id), 'number') ~= number
end

local function authorization_ended(reference)
  if reference == '' then
    return false
  end
  local number, name = reference:match('^(%d+):(.*)$')
  return redis.call('GET', key('authorization', name)) ~= number
end

-- join returns a reference to the authorization, which it begins if there is none.
local function join(name, stop)
  local authorization = key('authorization', name)
  local number = redis.call('GET', authorization)
  if not number then
    number = next_number()
    redis.call('SET', authorization, number)
  end
  keep(authorization, stop)
  return refer(number, name)
end

local code_fields = { 'stop', 'retained', 'grant', 'owner', 'session', 'authorization', 'used' }

-- code_verdict returns nil if the code can be redeemed.
local function code_verdict(c)
  if not c or now >= c.retained then
    return 'not found'
  end
  if c.used ~= '' or session_ended(c.session) or authorization_ended(c.authorization) then
    return 'consumed'
  end
  if now >= c.stop then
    return 'not found'
  end
end

local state_fields = { 'stop', 'session', 'authorization', 'revoked' }
local grant_fields = { 'stop', 'session', 'authorization', 'revoked', 'user', 'created', 'record' }

-- load_state returns what grant_verdict reads of a grant whose code was redeemed, or nil.
local function load_state(id)
  return load(key('grant', id), state_fields)
end

-- load_grant returns a grant whose code was redeemed, or nil. It may have ended.
local function load_grant(id)
  local g = load(key('grant', id), grant_fields)
  if g then
    g.id = id
  end
  return g
end

-- grant_verdict returns nil if the grant is live.
local function grant_verdict(g)
  if not g or now >= g.stop then
    return 'not found'
  end
  if g.revoked ~= '' or session_ended(g.session) or authorization_ended(g.authorization) then
    return 'revoked'
  end
end

local function grant_reply(g)
  return { g.id, g.user, g.created, g.stop, g.record }
end
