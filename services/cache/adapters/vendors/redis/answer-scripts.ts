// The index of a tenant's answers in Redis, changed only by scripts, so that no reader sees a part of a change. All keys begin with the tenant's prefix:
//   :v  "era.count" of invalidations        :i  label → count of the last invalidation by it; "*": of all; "<": time before which all are invalid
//   :x  answers by the time they expire      :s  answer → its size, labels and the time it was stored; "": bytes of all
//   :l:<label>  answers with a label         :a:<key>  the answer
// Only :v and :i say what was invalidated. They never expire. If the server evicted them, a new era begins, in which no older answer is
// found. :x, :s and :l only count and reclaim space: no eviction of them causes a wrong answer.

const helpers = `
local prefix = KEYS[1]
local function at(name) return prefix .. name end
local function drop(key)
  local known = redis.call('HGET', at(':s'), key)
  if known then
    local size, labels = unpack(cjson.decode(known))
    for _, label in ipairs(labels) do redis.call('SREM', at(':l:' .. label), key) end
    redis.call('HDEL', at(':s'), key)
    redis.call('HINCRBY', at(':s'), '', -size)
  end
  redis.call('ZREM', at(':x'), key)
  return redis.call('UNLINK', at(':a:' .. key))
end
local function purge(now, limit)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', at(':x'), '-inf', now, 'LIMIT', 0, limit)) do drop(key) end
end
local function keepFor(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
local function state(era)
  local known = redis.call('GET', at(':v'))
  local count = redis.call('HGET', at(':i'), '#')
  if known and (count or '0') == string.match(known, '%d+$') then return known end
  redis.call('DEL', at(':i'))
  redis.call('SET', at(':v'), era .. '.0')
  return era .. '.0'
end
`;

/** ARGV: an era, in case none has begun. Returns the state, then labels and counts of :i. */
export const stateScript = `${helpers}
local known = state(ARGV[1])
return {known, redis.call('HGETALL', at(':i'))}
`;

/**
 * ARGV: key, bytes, ms to live, expires at, now, size, stored at, labels as JSON, epoch. Returns 1; 0 if an invalidation since the epoch
 * concerns the answer.
 */
export const putScript = `${helpers}
local key, bytes, ttl, expiresAt, now, size, storedAt, labels, epoch = unpack(ARGV)
local known = redis.call('GET', at(':v')) or ''
if known ~= epoch then
  if string.match(known, '^(.*)%.') ~= string.match(epoch, '^(.*)%.') then return 0 end
  local since = tonumber(string.match(epoch, '%d+$'))
  if tonumber(redis.call('HGET', at(':i'), '*') or 0) > since then return 0 end
  for _, label in ipairs(cjson.decode(labels)) do
    if tonumber(redis.call('HGET', at(':i'), label) or 0) > since then return 0 end
  end
end
drop(key)
redis.call('SET', at(':a:' .. key), bytes, 'PX', ttl)
purge(now, 20)
redis.call('ZADD', at(':x'), expiresAt, key)
redis.call('HSET', at(':s'), key, '[' .. size .. ',' .. labels .. ',' .. storedAt .. ']')
redis.call('HINCRBY', at(':s'), '', size)
local indexTtl = tonumber(ttl) + 3600000
keepFor(at(':x'), indexTtl)
keepFor(at(':s'), indexTtl)
for _, label in ipairs(cjson.decode(labels)) do
  redis.call('SADD', at(':l:' .. label), key)
  keepFor(at(':l:' .. label), indexTtl)
end
return 1
`;

/** ARGV: key. Returns 1 if it was there. */
export const dropScript = `${helpers}
return drop(ARGV[1])
`;

/**
 * ARGV: label, "*" or "<", an era, most labels to remember, channel, message, and the time for "<". Counts an invalidation and notifies the
 * replicas. Returns the state after it, and how many replicas received the message.
 */
export const invalidateScript = `${helpers}
local label, era, mostLabels, channel, message, before = unpack(ARGV)
local current, count = string.match(state(era), '^(.*)%.(%d+)$')
count = string.format('%.0f', tonumber(count) + 1)
local known = current .. '.' .. count
redis.call('SET', at(':v'), known)
-- Too many to remember one by one: every older answer is invalid.
if redis.call('HLEN', at(':i')) >= tonumber(mostLabels) then redis.call('DEL', at(':i')) label = '*' end
local value = count
if label == '<' then value = math.max(tonumber(before), tonumber(redis.call('HGET', at(':i'), '<') or 0)) end
redis.call('HSET', at(':i'), '#', count, label, string.format('%.0f', value))
return {known, redis.call('PUBLISH', channel, message)}
`;

/** ARGV: label or "*", most answers. Removes answers with the label. Returns whether more are left, and their keys. */
export const reclaimScript = `${helpers}
local label, most = ARGV[1], tonumber(ARGV[2])
local keys
if label == '*' then keys = redis.call('ZRANGE', at(':x'), 0, most - 1)
else keys = redis.call('SPOP', at(':l:' .. label), most) end
local removed = {}
for _, key in ipairs(keys) do
  if drop(key) == 1 then removed[#removed + 1] = key end
end
return {#keys == most and 1 or 0, removed}
`;

/** ARGV: now. Returns answers and bytes. */
export const usageScript = `${helpers}
purge(ARGV[1], 1000)
return {redis.call('ZCARD', at(':x')), tonumber(redis.call('HGET', at(':s'), '') or 0)}
`;
