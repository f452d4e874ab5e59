-- Inserts a signing key: kid:KID reserves the KID, record:NUMBER the number, and key:NUMBER is the sealed key.
local keys = KEYS[1]
local kid, number, record, sealed = arguments(1, 4)

local before = redis.call('HGET', keys, 'kid:' .. kid)
if before == number .. ':' .. call then
  return 'ok'
end
if before or redis.call('HEXISTS', keys, 'record:' .. number) == 1 then
  return 'conflict'
end
redis.call('HSET', keys, 'kid:' .. kid, number .. ':' .. call, 'record:' .. number, record, 'key:' .. number, sealed)
return 'ok'
