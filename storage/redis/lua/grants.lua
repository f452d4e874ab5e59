-- Returns a page of the live grants of a user, newest first. Members of the list are the instant of the creation and the ID. Grants
-- that have ended leave the list here; if there are many, the reply is 'again' and the caller starts anew.
local grants = KEYS[1]
local user, after, limit, past = arguments(1, 4)
limit = tonumber(limit)

local position = '+'
if after ~= '' then
  local g = load_grant(after)
  if not g or now >= g.stop or g.user ~= user then
    return { 'not found' }
  end
  position = '(' .. g.created .. after
end

local most, chunk = 1000, 100 -- members in one run, and in one command
local page, ended, seen = {}, {}, 0
while #page < limit and #ended < most do
  local members = redis.call('ZREVRANGEBYLEX', grants, position, '-', 'LIMIT', seen, chunk)
  for _, member in ipairs(members) do
    local g = load_grant(member:sub(21))
    local verdict = grant_verdict(g)
    if not verdict then
      table.insert(page, grant_reply(g))
      if #page == limit then
        break
      end
    elseif verdict == 'revoked' or not g or g.stop <= past then
      table.insert(ended, member)
    end
  end
  if #members < chunk then
    break
  end
  seen = seen + chunk
end
for i = 1, #ended, chunk do
  redis.call('ZREM', grants, unpack(ended, i, math.min(i + chunk - 1, #ended)))
end
if #page < limit and #ended >= most then
  return { 'again' }
end
return { 'ok', page }
