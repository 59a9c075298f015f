// Flights in Redis. All keys begin with the tenant's prefix:
//   :f:<key>    who leads a key: l lease, o owner (replica), h holder, m the flight as JSON, b begun at, v state of the tenant's
//               invalidations then, s "filling" once its Fill has begun, "done" after it. It expires without a heartbeat.
//   :e:<lease>  the stream of a flight's events: b a batch of them; e how it has ended
//   :v          the state of the tenant's invalidations, kept by the answer store
// Each change of a flight is published on its channel.

/**
 * ARGV: key, lease, owner, holder, the flight as JSON, begun at, ms to live, 1 to replace an answer. Returns the lease that is held, and
 * when it began.
 */
export const acquireScript = `
local lease = KEYS[1] .. ':f:' .. ARGV[1]
local state = redis.call('GET', KEYS[1] .. ':v') or ''
local held, begun, since, phase = unpack(redis.call('HMGET', lease, 'l', 'b', 'v', 's'))
-- A flight that began before an invalidation cannot be followed, and one that ended has no new answer.
if held and since == state and not (phase == 'done' and ARGV[8] == '1') then return {held, begun} end
redis.call('DEL', lease)
redis.call('HSET', lease, 'l', ARGV[2], 'o', ARGV[3], 'h', ARGV[4], 'm', ARGV[5], 'b', ARGV[6], 'v', state)
redis.call('PEXPIRE', lease, ARGV[7])
return {ARGV[2], ARGV[6]}
`;

/** ARGV: key, lease, owner, holder, ms to live, channel. Returns the flight and when it began; nothing if there is no such lease to take. */
export const takeScript = `
local lease = KEYS[1] .. ':f:' .. ARGV[1]
local held, holder, about, begun, state = unpack(redis.call('HMGET', lease, 'l', 'h', 'm', 'b', 's'))
if held ~= ARGV[2] or holder ~= ARGV[4] or state then return {} end
redis.call('HSET', lease, 'o', ARGV[3], 's', 'filling')
redis.call('PEXPIRE', lease, ARGV[5])
redis.call('PUBLISH', ARGV[6], '')
return {about, begun}
`;

/** ARGV: key, lease, owner, ms to live, ms for its events to live. Returns "held", "moved", "gone" or "lost". */
export const renewScript = `
local lease = KEYS[1] .. ':f:' .. ARGV[1]
local held, owner = unpack(redis.call('HMGET', lease, 'l', 'o'))
if not held then return 'gone' end
if held ~= ARGV[2] then return 'lost' end
if owner ~= ARGV[3] then return 'moved' end
redis.call('PEXPIRE', lease, ARGV[4])
redis.call('PEXPIRE', KEYS[1] .. ':e:' .. ARGV[2], ARGV[5])
return 'held'
`;

/** ARGV: key, lease, owner, batch, ms to live, ms for its events to live, channel. Returns 1; 0 if the lease is lost. */
export const appendScript = `
local lease = KEYS[1] .. ':f:' .. ARGV[1]
local held, owner = unpack(redis.call('HMGET', lease, 'l', 'o'))
if held ~= ARGV[2] or owner ~= ARGV[3] then return 0 end
local events = KEYS[1] .. ':e:' .. ARGV[2]
redis.call('XADD', events, '*', 'b', ARGV[4])
redis.call('PEXPIRE', lease, ARGV[5])
redis.call('PEXPIRE', events, ARGV[6])
redis.call('PUBLISH', ARGV[7], '')
return 1
`;

/** ARGV: key, lease, owner, how it ended, ms for which newcomers find it, ms for its events to live, channel. */
export const releaseScript = `
local lease = KEYS[1] .. ':f:' .. ARGV[1]
local held, owner = unpack(redis.call('HMGET', lease, 'l', 'o'))
if held ~= ARGV[2] or owner ~= ARGV[3] then return 0 end
if tonumber(ARGV[5]) > 0 then
  redis.call('HSET', lease, 's', 'done')
  redis.call('PEXPIRE', lease, ARGV[5])
else redis.call('DEL', lease) end
local events = KEYS[1] .. ':e:' .. ARGV[2]
-- A full server takes no more events. The missing lease ends the flight too.
redis.pcall('XADD', events, '*', 'e', ARGV[4])
redis.call('PEXPIRE', events, ARGV[6])
redis.call('PUBLISH', ARGV[7], '')
return 1
`;

/** ARGV: key, lease, position, most batches. Returns the entries after the position, and whether the lease is held. */
export const readScript = `
local entries = redis.call('XRANGE', KEYS[1] .. ':e:' .. ARGV[2], '(' .. ARGV[3], '+', 'COUNT', ARGV[4])
local held = redis.call('HGET', KEYS[1] .. ':f:' .. ARGV[1], 'l')
return {entries, held == ARGV[2] and 1 or 0}
`;
