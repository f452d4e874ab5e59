-- Returns the live grant of a user with an ID.
local user, id = arguments(1, 2)

local g = load_grant(id)
if grant_verdict(g) or g.user ~= user then
  return { 'not found' }
end
return { 'ok', { grant_reply(g) } }
