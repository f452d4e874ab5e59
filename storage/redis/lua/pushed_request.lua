-- Returns a pushed request that is neither consumed nor expired.
local pushed = KEYS[1]
arguments(1, 0)

local p = load(pushed, { 'stop', 'client', 'source', 'params', 'used' })
if not p or now >= p.stop or p.used ~= '' then
  return { 'not found' }
end
return { 'ok', p.client, p.source, p.stop, p.params }
