-- Consumes a code and inserts its grant and tokens. The used code remains until its retained.
local code, grant, access, refresh, session = unpack(KEYS)
local i = {}
local foreign, login_only, owner, session_id
foreign, login_only, owner, session_id, i.id, i.user, i.created, i.stop, i.record, i.access_stop, i.access_record, i.refresh_stop,
  i.generation = arguments(5, 13)

if resent(access) then
  return 'ok'
end
local c = load(code, code_fields)
local verdict = code_verdict(c)
if verdict then
  return verdict
end
local of_session = ''
if c.session ~= '' then
  of_session = c.session:match('^%d+:(.*)$')
end
if foreign == '1' or c.grant ~= i.id or c.owner ~= owner or of_session ~= session_id or redis.call('EXISTS', access, refresh) > 0 then
  return 'conflict'
end

redis.call('HSET', code, 'used', call)
i.session, i.authorization = '', c.authorization
if login_only == '1' and c.session ~= '' then
  i.session = c.session
  keep(session, i.stop)
end
if c.authorization ~= '' then
  keep(key('authorization', owner), i.stop)
end
issue(grant, access, refresh, i)
return 'ok'
