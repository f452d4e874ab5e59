-- Removes members of the list of sessions of a user whose session Redis has collected. Returns their number.
local sessions = KEYS[1]
arguments(1, 0)

local removed = 0
for _, id in ipairs(redis.call('HKEYS', sessions)) do
  if redis.call('EXISTS', key('session', id)) == 0 then
    redis.call('HDEL', sessions, id)
    removed = removed + 1
  end
end
return { removed, 0 }
