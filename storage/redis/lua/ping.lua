-- Writes as a script that inserts something does: it fails on a replica, and if the server is full or cannot store its data.
local ping = KEYS[1]
arguments(1, 0)
redis.call('SET', ping, '', 'PX', call_memory)
return 'ok'
