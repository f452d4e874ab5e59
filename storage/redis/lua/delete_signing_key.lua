-- Removes a sealed signing key. Its KID and number stay reserved.
local keys = KEYS[1]
local kid = arguments(1, 1)

local before = redis.call('HGET', keys, 'kid:' .. kid)
if before then
  redis.call('HDEL', keys, 'key:' .. before:match('^(.-):'))
end
return 'ok'
