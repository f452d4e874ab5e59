-- Every script begins with this file. ARGV[1] is the prefix of all keys, which contains the hash tag; ARGV[2] is the now of the
-- caller; ARGV[3] is the number of the call, which is the same if the client sends the script again.
--
-- An instant is 20 digits (see instant in keys.go), so that two instants compare as strings. A Lua number is a double and cannot
-- hold nanoseconds.

local prefix, now, call = ARGV[1], ARGV[2], ARGV[3]

-- arguments returns the arguments after the first three. It is called before anything is written.
local function arguments(keys, count)
  if #KEYS ~= keys or #ARGV ~= count + 3 then
    error('wrong number of keys or arguments')
  end
  return unpack(ARGV, 4)
end

-- key returns the name of a key that is known only when another one was read. It has the hash tag of the declared keys.
local function key(kind, name)
  return prefix .. kind .. ':' .. name
end

-- clock returns the now of the caller, or that of the server if the clock of the caller is ahead of it: Redis would collect by it what the
-- other nodes still need. A clock that is a day ahead is not one of a node, but of a test.
local clock_read
local function clock()
  if not clock_read then
    local time = redis.call('TIME')
    local server, caller = 1e19 + time[1] * 1e9 + time[2] * 1e3, tonumber(now)
    clock_read = server < caller and caller - server < 86400e9 and server or caller
  end
  return clock_read
end

-- lifetime returns the milliseconds from now until an instant, and max_skew more: Redis collects a key when it has expired by the
-- clock of every node. The scripts decide by now whether a record has expired.
local function lifetime(stop)
  return math.ceil((tonumber(stop) - clock()) / 1e6) + max_skew
end

-- expire sets when Redis collects a key that the script has made.
local function expire(name, stop)
  redis.call('PEXPIRE', name, lifetime(stop))
end

-- keep makes sure that Redis does not collect a key before an instant.
local function keep(name, stop)
  local milliseconds = lifetime(stop)
  if redis.call('PTTL', name) < milliseconds then
    redis.call('PEXPIRE', name, milliseconds)
  end
end

-- next_number returns a number that no other caller gets.
local function next_number()
  return string.format('%.0f', redis.call('INCR', prefix .. 'number'))
end

-- load returns fields of a hash as a table, or nil if the first of them is not set.
local function load(name, fields)
  local values = redis.call('HMGET', name, unpack(fields))
  if not values[1] then
    return nil
  end
  local record = {}
  for i, field in ipairs(fields) do
    record[field] = values[i] or ''
  end
  return record
end
