-- Inserts a pushed request. The requests of a source that are not consumed are counted, and those of a client in all.
local pushed, pushing, pushing_client = unpack(KEYS)
local hash, client, source, list, stop, score, now_score, params, most, most_client = arguments(3, 10)

if redis.call('EXISTS', pushed) == 1 then
  return redis.call('HGET', pushed, 'call') == call and 'ok' or 'conflict'
end
redis.call('ZREMRANGEBYSCORE', pushing, '-inf', now_score)
redis.call('ZREMRANGEBYSCORE', pushing_client, '-inf', now_score)
if redis.call('ZCARD', pushing) >= tonumber(most) or redis.call('ZCARD', pushing_client) >= tonumber(most_client) then
  return 'full'
end
redis.call('HSET', pushed, 'stop', stop, 'client', client, 'source', source, 'list', list, 'params', params, 'call', call)
expire(pushed, stop)
for _, name in ipairs({ pushing, pushing_client }) do
  redis.call('ZADD', name, score, hash)
  keep(name, stop)
end
return 'ok'
