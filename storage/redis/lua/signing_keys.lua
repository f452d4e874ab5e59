-- Returns the fields of a set of signing keys.
local keys = KEYS[1]
arguments(1, 0)
return redis.call('HGETALL', keys)
