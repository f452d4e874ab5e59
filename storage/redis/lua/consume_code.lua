-- Consumes a code without issuing anything. The used code remains until its retained.
local code = KEYS[1]
arguments(1, 0)

local c = load(code, code_fields)
if c and c.used == call then
  return 'ok'
end
local verdict = code_verdict(c)
if verdict then
  return verdict
end
redis.call('HSET', code, 'used', call)
return 'ok'
