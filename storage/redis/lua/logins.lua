-- Returns the entries of the login history of a user, also those that have expired.
local logins = KEYS[1]
arguments(1, 0)
return redis.call('HGETALL', logins)
