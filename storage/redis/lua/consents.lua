-- Returns the consents of a user to a client for a customer, also those that have expired.
local consents = KEYS[1]
arguments(1, 0)
return redis.call('HGETALL', consents)
