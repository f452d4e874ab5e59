-- Some scripts would give another reply the second time. They keep their reply for a while as call:NUMBER.

-- replied returns the reply of this call if the script was executed before: the client sent it again because it received no answer.
local function replied()
  local reply = redis.call('GET', key('call', call))
  return reply and cmsgpack.unpack(reply)
end

-- remember keeps and returns a reply.
local function remember(reply)
  redis.call('SET', key('call', call), cmsgpack.pack(reply), 'PX', call_memory)
  return reply
end
