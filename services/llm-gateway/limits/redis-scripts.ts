import { slotCount, slotMs, soonMs } from './windows.ts';

// The atomic part of the Redis store: the logic of the memory store, in Lua. A scope has four keys:
//   minute  hash   r<slot> and t<slot>: requests and tokens by slot of time
//   money   hash   day, dayMicros, month, monthMicros: money spent and reserved; held: the reserved part
//   leases  zset   ids of reservations by the end of their lease
//   holds   hash   id -> slot|tokens|micros|day|month|counted: the reservation
// All keys of a tenant share a hash tag, so that they are on one node. Empty keys are deleted; the others expire after the month that
// they count.

const keepMs = 40 * 24 * 3600 * 1000;

const shared = `
local function int(value) return string.format('%.0f', value) end

local function add(minute, field, amount)
  if amount > 0 then
    redis.call('HINCRBY', minute, field, int(amount))
    redis.call('PEXPIRE', minute, ${slotMs * (slotCount + 1)})
  elseif amount < 0 and redis.call('HEXISTS', minute, field) == 1 then
    if redis.call('HINCRBY', minute, field, int(amount)) < 0 then redis.call('HSET', minute, field, 0) end
  end
end

local function correct(money, name, period, amount)
  if period == '' or redis.call('HGET', money, name) ~= period then return end
  if redis.call('HINCRBY', money, name .. 'Micros', int(amount)) < 0 then
    redis.call('HSET', money, name .. 'Micros', 0)
  end
end

local function release(minute, money, leases, holds, id, slot, isUsed, tokens, micros)
  local hold = redis.call('HGET', holds, id)
  if not hold then return 0 end
  redis.call('HDEL', holds, id)
  redis.call('ZREM', leases, id)
  local at, heldTokens, heldMicros, day, month, counted = string.match(hold, '^(%d+)|(%d+)|(%d+)|([^|]*)|([^|]*)|(%a*)$')
  if not isUsed and string.find(counted, 'r') then add(minute, 'r' .. at, -1) end
  if string.find(counted, 't') then
    local more = tokens - tonumber(heldTokens)
    add(minute, 't' .. (more > 0 and slot or at), more)
  end
  local more = micros - tonumber(heldMicros)
  correct(money, 'day', day, more)
  correct(money, 'month', month, more)
  if day ~= '' or month ~= '' then
    if redis.call('HINCRBY', money, 'held', int(-tonumber(heldMicros))) < 0 then redis.call('HSET', money, 'held', 0) end
  end
  return 1
end
`;

/**
 * KEYS: minute, money, leases, holds of each scope. ARGV: id, now in ms, slot, end of the lease in ms, tokens, micros, day, month, end
 * of the day and of the month in ms, whether to reserve without a check; then of each scope the limits in the order of {@link limitOrder}.
 * Returns [1, requests and tokens of the minute for each scope], or only [1] if the reservation exists or was not checked, or [0, index of the scope, index of the limit, ms until it allows it or -1: never, what is left of it].
 */
export const reserveScript = `${shared}
local id, now, slot, leaseEnd = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local tokens, micros, day, month = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8]
local dayEnd, monthEnd, force = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11] == '1'
local scopes = #KEYS / 4
local refusal = nil
local used = {1}

local function refuse(scope, kind, retry, remaining)
  if refusal and kind == 4 then return end
  if refusal and refusal[3] ~= 4 and refusal[4] == -1 then return end
  if refusal and refusal[3] ~= 4 and retry ~= -1 and retry <= refusal[4] then return end
  refusal = {0, scope, kind, retry, math.max(0, remaining)}
end

local function freeAt(window, amount)
  table.sort(window, function(a, b) return a[1] < b[1] end)
  local freed = 0
  for _, part in ipairs(window) do
    freed = freed + part[2]
    if freed >= amount then return (part[1] + ${slotCount}) * ${slotMs} end
  end
  return (slot + ${slotCount}) * ${slotMs}
end

local function minuteLimit(scope, kind, window, amount, limit)
  if limit == 0 or window.sum + amount <= limit then return end
  refuse(scope, kind, amount > limit and -1 or freeAt(window, window.sum + amount - limit) - now, limit - window.sum)
end

local function moneyLimit(scope, kind, spent, held, limit, ends)
  if limit == 0 or spent + micros <= limit then return end
  if micros > limit then refuse(scope, kind, -1, limit - spent)
  else refuse(scope, kind, spent - held + micros <= limit and ${soonMs} or ends - now, limit - spent) end
end

for scope = 0, scopes - 1 do
  local minute, money, leases, holds = unpack(KEYS, scope * 4 + 1, scope * 4 + 4)
  if redis.call('HEXISTS', holds, id) == 1 then return {1} end
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', '(' .. int(now), 'LIMIT', 0, 100)) do
    release(minute, money, leases, holds, gone, slot, true, 0, 0)
  end
  if not force then
    local rpm, tpm, daily, monthly, concurrent = unpack(ARGV, 12 + scope * 5, 16 + scope * 5)
    local windows = {r = {sum = 0}, t = {sum = 0}}
    if rpm ~= '0' or tpm ~= '0' then
      local parts = redis.call('HGETALL', minute)
      for index = 1, #parts, 2 do
        local at, amount = tonumber(string.sub(parts[index], 2)), tonumber(parts[index + 1])
        if at <= slot - ${slotCount} then redis.call('HDEL', minute, parts[index])
        else
          local window = windows[string.sub(parts[index], 1, 1)]
          window.sum = window.sum + amount
          window[#window + 1] = {at, amount}
        end
      end
    end
    used[#used + 1] = windows.r.sum + (rpm ~= '0' and 1 or 0)
    used[#used + 1] = windows.t.sum + (tpm ~= '0' and tokens or 0)
    minuteLimit(scope, 0, windows.r, 1, tonumber(rpm))
    minuteLimit(scope, 1, windows.t, tokens, tonumber(tpm))
    if daily ~= '0' or monthly ~= '0' then
      local spent = redis.call('HMGET', money, 'day', 'dayMicros', 'month', 'monthMicros', 'held')
      local held = tonumber(spent[5] or 0)
      moneyLimit(scope, 2, spent[1] == day and tonumber(spent[2] or 0) or 0, held, tonumber(daily), dayEnd)
      moneyLimit(scope, 3, spent[3] == month and tonumber(spent[4] or 0) or 0, held, tonumber(monthly), monthEnd)
    end
    if concurrent ~= '0' and redis.call('ZCARD', leases) >= tonumber(concurrent) then refuse(scope, 4, ${soonMs}, 0) end
  end
end
if refusal then return refusal end

local function spend(money, name, period)
  if redis.call('HGET', money, name) == period then redis.call('HINCRBY', money, name .. 'Micros', int(micros))
  else redis.call('HSET', money, name, period, name .. 'Micros', int(micros)) end
end

for scope = 0, scopes - 1 do
  local minute, money, leases, holds = unpack(KEYS, scope * 4 + 1, scope * 4 + 4)
  local rpm, tpm, daily, monthly = unpack(ARGV, 12 + scope * 5, 15 + scope * 5)
  local counted = ''
  if rpm ~= '0' then
    add(minute, 'r' .. int(slot), 1)
    counted = counted .. 'r'
  end
  if tpm ~= '0' then
    add(minute, 't' .. int(slot), tokens)
    counted = counted .. 't'
  end
  if daily ~= '0' then spend(money, 'day', day) end
  if monthly ~= '0' then spend(money, 'month', month) end
  if daily ~= '0' or monthly ~= '0' then
    redis.call('HINCRBY', money, 'held', int(micros))
    redis.call('PEXPIRE', money, ${keepMs})
  end
  local parts = {int(slot), int(tokens), int(micros), daily ~= '0' and day or '', monthly ~= '0' and month or '', counted}
  redis.call('HSET', holds, id, table.concat(parts, '|'))
  redis.call('ZADD', leases, leaseEnd, id)
  redis.call('PEXPIRE', holds, ${keepMs})
  redis.call('PEXPIRE', leases, ${keepMs})
end
return used
`;

/** KEYS as above. ARGV: id, slot, 1 if the request was made and 0 if not, tokens, micros. */
export const settleScript = `${shared}
for scope = 0, #KEYS / 4 - 1 do
  local minute, money, leases, holds = unpack(KEYS, scope * 4 + 1, scope * 4 + 4)
  release(minute, money, leases, holds, ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4]), tonumber(ARGV[5]))
end
return 1
`;

/**
 * KEYS: minute, money, leases of each scope. ARGV: slot, now in ms, day, month. Returns of each scope: requests and tokens of the minute, money
 * of the day and of the month, running requests.
 */
export const readScript = `
local slot, now, day, month = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local used = {}
for scope = 0, #KEYS / 3 - 1 do
  local minute, money, leases = unpack(KEYS, scope * 3 + 1, scope * 3 + 3)
  local sums = {r = 0, t = 0}
  local parts = redis.call('HGETALL', minute)
  for index = 1, #parts, 2 do
    local kind = string.sub(parts[index], 1, 1)
    if tonumber(string.sub(parts[index], 2)) > slot - ${slotCount} then sums[kind] = sums[kind] + tonumber(parts[index + 1]) end
  end
  local spent = redis.call('HMGET', money, 'day', 'dayMicros', 'month', 'monthMicros')
  used[#used + 1] = sums.r
  used[#used + 1] = sums.t
  used[#used + 1] = spent[1] == day and tonumber(spent[2] or 0) or 0
  used[#used + 1] = spent[3] == month and tonumber(spent[4] or 0) or 0
  used[#used + 1] = redis.call('ZCOUNT', leases, now, '+inf')
end
return used
`;

/** Limits in the order of the scripts' arguments. */
export const limitOrder = [
  'requestsPerMinute',
  'tokensPerMinute',
  'costMicrosPerDay',
  'costMicrosPerMonth',
  'maxConcurrent',
] as const;
