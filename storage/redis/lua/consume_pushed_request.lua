-- Consumes a pushed request. What remains until it would have expired has no parameters.
local pushed = KEYS[1]
local hash = arguments(1, 1)

local p = load(pushed, { 'stop', 'list', 'used' })
if p and p.used == call then
  return 'ok'
end
if not p or now >= p.stop then
  return 'not found'
end
if p.used ~= '' then
  return 'consumed'
end
redis.call('HSET', pushed, 'used', call)
redis.call('HDEL', pushed, 'params')
redis.call('ZREM', key('pushing', p.list), hash)
return 'ok'
