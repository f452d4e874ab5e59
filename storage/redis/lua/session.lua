-- Returns the live session of a cookie.
local cookie = KEYS[1]
local hash = arguments(1, 1)

local s = find_session(cookie, hash)
if not s then
  return { 'not found' }
end
return { 'ok', session_reply(s) }
