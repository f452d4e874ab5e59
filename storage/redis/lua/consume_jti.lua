-- Remembers the key of an assertion. The keys of a client are counted by the minute in which they end.
local jti, counts = unpack(KEYS)
local stop, minute, past_minute, most = arguments(2, 4)

local before = redis.call('GET', jti)
if before then
  return before == call and 'ok' or 'consumed'
end
local held, list = 0, redis.call('HGETALL', counts)
for i = 1, #list, 2 do
  if tonumber(list[i]) < tonumber(past_minute) then
    redis.call('HDEL', counts, list[i])
  else
    held = held + tonumber(list[i + 1])
  end
end
if held >= tonumber(most) then
  return 'full'
end
redis.call('SET', jti, call)
expire(jti, stop)
redis.call('HINCRBY', counts, minute, 1)
keep(counts, stop)
return 'ok'
