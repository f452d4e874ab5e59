-- Adds a login to the history of a user. An entry is its number, the instant of its end and the record.
local logins = KEYS[1]
local id, stop, record, most = arguments(1, 4)

local before = redis.call('HGET', logins, id)
if before and now < before:sub(21, 40) then
  return 'ok'
end
if not before and redis.call('HLEN', logins) >= tonumber(most) then
  local oldest, number
  local list = redis.call('HGETALL', logins)
  for i = 1, #list, 2 do
    local n = list[i + 1]:sub(1, 20)
    if not oldest or n < number then
      oldest, number = list[i], n
    end
  end
  redis.call('HDEL', logins, oldest)
end
local number = next_number()
redis.call('HSET', logins, id, string.rep('0', 20 - #number) .. number .. stop .. record)
keep(logins, stop)
return 'ok'
