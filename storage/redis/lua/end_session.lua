-- Ends a session and returns it as it was.
local cookie = KEYS[1]
local hash = arguments(1, 1)

local before = replied()
if before then
  return before
end
local s = find_session(cookie, hash)
if not s then
  return { 'not found' }
end
end_session(s)
return remember({ 'ok', session_reply(s) })
