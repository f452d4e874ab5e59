-- Inserts a grant without a code, and its tokens.
local grant, access, refresh, session = unpack(KEYS)
local i = {}
local foreign, login_only, owner, session_id
foreign, login_only, owner, session_id, i.id, i.user, i.created, i.stop, i.record, i.access_stop, i.access_record,
  i.refresh_stop, i.generation = arguments(4, 13)

if resent(access) then
  return 'ok'
end
local s
if session_id ~= '' then
  s = load_session(session_id)
  if not admits(s, i.user) then
    return 'revoked'
  end
end
if foreign == '1' or redis.call('EXISTS', grant, access, refresh) > 0 then
  return 'conflict'
end

i.session, i.authorization = '', ''
if i.user ~= '' then
  i.authorization = join(owner, i.stop)
end
if s and login_only == '1' then
  i.session = refer(s.number, session_id)
  keep(session, i.stop)
end
issue(grant, access, refresh, i)
return 'ok'
