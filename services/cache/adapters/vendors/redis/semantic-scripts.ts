// The questions of a tenant in Redis. All keys begin with the tenant's prefix and the space of the vectors; a member is "scope key".
//   :s:<scope>  key → question and vector; "" → changes with every write, so that readers can keep what they decoded
//   :o  members by the time they were stored       :o:<scope>  the same of a scope
//   :e  members by the time they expire            :m  member → its documents
//   :d:<document>  members that cite it            :k:<key>  members with that key

const helpers = `
local prefix = KEYS[1]
local function at(name) return prefix .. name end
local function drop(member, mark)
  local scope, key = string.match(member, '^(.-) (.*)$')
  if redis.call('HDEL', at(':s:' .. scope), key) == 1 then redis.call('HSET', at(':s:' .. scope), '', mark) end
  local documents = redis.call('HGET', at(':m'), member)
  if documents then
    for _, document in ipairs(cjson.decode(documents)) do redis.call('SREM', at(':d:' .. document), member) end
    redis.call('HDEL', at(':m'), member)
  end
  redis.call('ZREM', at(':o'), member)
  redis.call('ZREM', at(':o:' .. scope), member)
  redis.call('ZREM', at(':e'), member)
  redis.call('SREM', at(':k:' .. key), member)
end
local function dropAll(members, mark)
  for _, member in ipairs(members) do drop(member, mark) end
end
local function keepFor(name, ms)
  if redis.call('PTTL', at(name)) < ms then redis.call('PEXPIRE', at(name), ms) end
end
`;

/** ARGV: scope, key, bytes, stored at, expires at, now, documents as JSON, most of a scope, most of a tenant, mark. */
export const putScript = `${helpers}
local scope, key, bytes, storedAt, expiresAt, now, documents, mostOfScope, mostOfTenant, mark = unpack(ARGV)
local member = scope .. ' ' .. key
drop(member, mark)
dropAll(redis.call('ZRANGEBYSCORE', at(':e'), '-inf', now, 'LIMIT', 0, 100), mark)
redis.call('HSET', at(':s:' .. scope), key, bytes, '', mark)
redis.call('ZADD', at(':o'), storedAt, member)
redis.call('ZADD', at(':o:' .. scope), storedAt, member)
redis.call('ZADD', at(':e'), expiresAt, member)
redis.call('HSET', at(':m'), member, documents)
redis.call('SADD', at(':k:' .. key), member)
local ttl = expiresAt - now + 60000
for _, document in ipairs(cjson.decode(documents)) do
  redis.call('SADD', at(':d:' .. document), member)
  keepFor(':d:' .. document, ttl)
end
for _, name in ipairs({':s:' .. scope, ':o', ':o:' .. scope, ':e', ':m', ':k:' .. key}) do keepFor(name, ttl) end
local function shrink(name, most)
  local extra = redis.call('ZCARD', at(name)) - most
  if extra > 0 then dropAll(redis.call('ZRANGE', at(name), 0, extra - 1), mark) end
end
shrink(':o:' .. scope, tonumber(mostOfScope))
shrink(':o', tonumber(mostOfTenant))
return 1
`;

/** ARGV: kind of target, its value, most, mark. Removes at most that many; returns how many. */
export const removeScript = `${helpers}
local kind, value, most, mark = unpack(ARGV)
local members
if kind == 'key' then members = redis.call('SRANDMEMBER', at(':k:' .. value), most)
elseif kind == 'document' then members = redis.call('SRANDMEMBER', at(':d:' .. value), most)
elseif kind == 'before' then members = redis.call('ZRANGEBYSCORE', at(':o'), '-inf', '(' .. value, 'LIMIT', 0, most)
elseif kind == 'scope' then members = redis.call('ZRANGE', at(':o:' .. value), 0, most - 1)
else members = redis.call('ZRANGE', at(':o'), 0, most - 1) end
dropAll(members, mark)
return #members
`;
