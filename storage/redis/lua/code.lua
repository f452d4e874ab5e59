-- Returns a code.
local code = KEYS[1]
arguments(1, 0)

table.insert(code_fields, 'record') -- only here: a record is hundreds of bytes
local c = load(code, code_fields)
local verdict = code_verdict(c) or 'ok'
if verdict == 'not found' then
  return { verdict }
end
return { verdict, c.grant, c.stop, c.record }
