-- Removes members of the list of grants of a user whose grant Redis has collected. Returns their number and where to continue.
local grants = KEYS[1]
local start = tonumber((arguments(1, 1)))

local batch, removed = 1000, 0
local members = redis.call('ZRANGE', grants, start, start + batch - 1)
for _, member in ipairs(members) do
  if redis.call('EXISTS', key('grant', member:sub(21))) == 0 then
    redis.call('ZREM', grants, member)
    removed = removed + 1
  end
end
return { removed, #members < batch and 0 or start + batch - removed }
