-- Revokes a grant and consumes its code.
local grant = KEYS[1]
local id = arguments(1, 1)

if redis.call('EXISTS', grant) == 0 then
  return 'ok'
end
redis.call('HSET', grant, 'revoked', '1')
local hash, user, created = unpack(redis.call('HMGET', grant, 'code', 'user', 'created'))
if hash and redis.call('HEXISTS', key('code', hash), 'used') == 0 and redis.call('EXISTS', key('code', hash)) == 1 then
  redis.call('HSET', key('code', hash), 'used', call)
end
if user and user ~= '' then
  redis.call('ZREM', key('grants', user), created .. id)
end
return 'ok'
