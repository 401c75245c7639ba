/**
 * The script that keeps a budget in Redis: one call for each report of a process, with the store's own clock.
 *
 * It keeps three keys: the sums, a record of each process, and the ends of their leases. A report costs a few commands,
 * however many processes there are; the shares of all are reckoned anew at each report of a small fleet, and at most every
 * half millisecond for each process of a large one. The rules are those of `apportion.ts`.
 *
 * - a process holds what it reported or was granted, whichever is more, until it reports less
 * - one that has not reported for a lease is dead, and what it held is free
 * - if nobody reported for a lease, the store was away: nobody is dead before all had the time to report
 * - if a process comes back that the store does not know, or it has just started, it has forgotten: until all had the time
 *   to report nobody is granted more than its floor and what it has
 */
import * as Redis from "effect/persistence/Redis"

/** How long a process counts without a word, and how soon all have reported to a store that is back: milliseconds. */
export const lease = 15_000
const learning = 7_000

const lua = `
local sums, records, leases = KEYS[1], KEYS[2], KEYS[3]
local id, label = ARGV[1], ARGV[2]
local seq, total, floor = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local holds, wants = tonumber(ARGV[6]), tonumber(ARGV[7])
local known, leaving = ARGV[8] == '1', ARGV[9] == '1'
local lease, learning, given = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local now = given
if not given then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function unpackRecord(text)
  local s, h, w, f, g, t, a = string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) ')
  return { seq = tonumber(s), has = tonumber(h), wants = tonumber(w), floor = tonumber(f), target = tonumber(g),
    total = tonumber(t), at = tonumber(a), label = string.match(text, '^%d+ %d+ %d+ %d+ %d+ %d+ %d+ (.*)$') }
end
local function write(key, r)
  redis.call('HSET', records, key, string.format('%.0f %.0f %.0f %.0f %.0f %.0f %.0f %s',
    r.seq, r.has, r.wants, r.floor, r.target, r.total, r.at, r.label))
end

local known_sums = redis.call('HMGET', sums, 'held', 'seen', 'learnUntil', 'isLost', 'total', 'reckonedAt')
local held, seen = tonumber(known_sums[1] or 0), tonumber(known_sums[2] or now)
local learnUntil, isLost = tonumber(known_sums[3] or 0), known_sums[4] == '1'
local least, reckonedAt = tonumber(known_sums[5] or total), tonumber(known_sums[6] or 0)

local function uptime()
  if given then return given end
  local info = redis.pcall('INFO', 'server')
  local seconds = type(info) == 'string' and string.match(info, 'uptime_in_seconds:(%d+)')
  return seconds and tonumber(seconds) * 1000 or 0
end
if not known_sums[1] then
  if known or uptime() < lease then learnUntil, isLost = now + learning, true end
elseif known and not isLost and redis.call('HEXISTS', records, id) == 0 and now - seen <= lease
  and tonumber(redis.call('HGET', sums, 'made') or 0) > now - lease then
  learnUntil, isLost = now + learning, true
elseif now - seen > lease and redis.call('ZCARD', leases) > 0 then
  learnUntil = now + learning
elseif seen > now + 1000 then
  -- The clock was set back: nobody may live longer for it.
  for _, each in ipairs(redis.call('ZRANGE', leases, 0, -1)) do redis.call('ZADD', leases, now + lease, each) end
  learnUntil, reckonedAt = math.min(learnUntil, now + learning), 0
end
if not known_sums[1] then redis.call('HSET', sums, 'made', now) end
if now >= learnUntil then
  isLost = false
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 1000)) do
    local record = redis.call('HGET', records, dead)
    if record then held = held - unpackRecord(record).has end
    redis.call('HDEL', records, dead)
    redis.call('ZREM', leases, dead)
    reckonedAt = 0
  end
end

local before = redis.call('HGET', records, id)
local mine = before and unpackRecord(before) or { has = 0, target = 0, seq = 0 }
local count = redis.call('ZCARD', leases)
local function save()
  redis.call('HSET', sums, 'held', held, 'seen', now, 'learnUntil', learnUntil, 'isLost', isLost and 1 or 0,
    'total', least, 'reckonedAt', reckonedAt)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, 40 * lease) end
end
if leaving then
  redis.call('HDEL', records, id)
  redis.call('ZREM', leases, id)
  held, reckonedAt = held - mine.has, 0
  save()
  return { 0, least, held, redis.call('ZCARD', leases), 0, 0 }
end
if seq <= mine.seq then
  save()
  return { mine.has, least, held, count, 0, 0 }
end

held = held + holds - mine.has
if not before then count, reckonedAt = count + 1, 0 end
mine = { seq = seq, has = holds, wants = wants, floor = floor, target = mine.target, total = total, at = now,
  label = label }
least = math.min(least, total)
redis.call('ZADD', leases, now + lease, id)

local function clamp(level, low, high) return math.max(low, math.min(high, level)) end
local function fill(all, low, high)
  local n, top = #all, 0
  for i = 1, n do top = math.max(top, high[i]) end
  local function at(level)
    local used = 0
    for i = 1, n do used = used + clamp(level, low[i], high[i]) end
    return used
  end
  if at(top) <= least then return high end
  local from, to = 0, top
  while to - from > 1 do
    local middle = math.floor((from + to) / 2)
    if at(middle) <= least then from = middle else to = middle end
  end
  local filled, left = {}, least - at(from)
  for i = 1, n do filled[i] = clamp(from, low[i], high[i]) end
  for pass = 1, 2 do
    for i = 1, n do
      if left > 0 and from >= low[i] and from < high[i] and (all[i].has > from) == (pass == 1) then
        filled[i] = from + 1
        left = left - 1
      end
    end
  end
  return filled
end

if now - reckonedAt >= (count <= 64 and 0 or count / 2) then
  write(id, mine)
  local ids, all, zero, floors, wanted, kept = {}, {}, {}, {}, {}, {}
  local flat = redis.call('HGETALL', records)
  -- The records are the truth: a sum that was evicted or is wrong is right again.
  least, held = total, 0
  for i = 1, #flat, 2 do
    local record = unpackRecord(flat[i + 1])
    ids[#ids + 1], all[#all + 1] = flat[i], record
    least, held = math.min(least, record.total), held + record.has
  end
  for i = 1, #all do zero[i], floors[i] = 0, all[i].floor end
  local low = fill(all, zero, floors)
  for i = 1, #all do wanted[i] = math.max(low[i], all[i].wants) end
  local middle = fill(all, low, wanted)
  for i = 1, #all do kept[i] = math.max(middle[i], all[i].has) end
  local targets = fill(all, middle, kept)
  for i = 1, #all do
    if ids[i] == id then
      mine.target = targets[i]
    elseif all[i].target ~= targets[i] then
      all[i].target = targets[i]
      write(ids[i], all[i])
    end
  end
  reckonedAt = now
else
  mine.target = math.min(mine.target, math.max(wants, floor, holds))
end

local grant = mine.target
if grant > holds then
  local free = math.max(0, least - held)
  if isLost then free = math.min(free, math.max(0, floor - holds)) end
  grant = holds + math.min(grant - holds, free)
end
held = held + math.max(grant, holds) - holds
mine.has = math.max(grant, holds)
write(id, mine)
save()
return { grant, least, held, count, now < learnUntil and 1 or 0, math.max(1000, count * 2) }
`

/** The three keys of a budget, in one slot of a cluster whatever its name is. */
const keysOf = (name: string): ReadonlyArray<string> => {
  const base = `effect-pools:{budget:${encodeURIComponent(name)}}`
  return [base, `${base}:records`, `${base}:leases`]
}

/** The time is given in tests alone. */
export const reportScript = Redis.script(
  (name: string, parts: ReadonlyArray<string | number>, now?: number) => [
    ...keysOf(name),
    ...parts,
    lease,
    learning,
    now ?? ""
  ],
  { numberOfKeys: 3, lua }
).withReturnType<unknown>()

/** The records of all processes, and the store's time. */
export const processesScript = Redis.script((name: string) => keysOf(name), {
  numberOfKeys: 3,
  lua: `
local time = redis.call('TIME')
return { tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), redis.call('HGETALL', KEYS[2]) }
`
}).withReturnType<unknown>()
