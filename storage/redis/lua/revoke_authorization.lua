-- Revokes every grant of a user at a client for a customer, consumes their codes and withdraws the consents. The grants and codes
-- refer to the authorization by its number, which is not used again.
local authorization, consents = unpack(KEYS)
arguments(2, 0)

local before = replied()
if before then
  return before -- a grant that the user gave meanwhile stays
end
redis.call('DEL', authorization, consents)
return remember('ok')
