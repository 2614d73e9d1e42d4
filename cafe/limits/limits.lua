-- The windows, refusals and bans of all fronts of a shop: one call counts for many addresses.
--
-- Rule: it does what cafe/limits/window.py and bans.py do, with the same formulas in the same order,
-- and a test compares them step by step. Times are whole microseconds of the server's clock, so the
-- fronts' clocks do not matter. A call is atomic, as every script of Redis is.
--
-- Keys under the prefix: `customers:BUCKET`, `baristas:BUCKET` and `refusals:BUCKET`, hashes of
-- counts by address within a bucket of time; `bans`, a hash of `UNTIL:SECONDS` by address; `news`,
-- the addresses in `bans`, sorted by the revision of their ban; and `revision`. All of them expire.

local prefix = ARGV[1]
local now, seen, limits, offered, lifts, refusals, admits = unpack(cmsgpack.unpack(ARGV[2]))
local width, requests, worker_requests, after, first, longest, most, share, page = unpack(limits)
local quotas = {requests, worker_requests}
local ADMITTED, OVER_LIMIT, BANNED = 0, 1, 2
local INSTANT = 1e-6
local OTHERS = '*'  -- not a possible address

if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local elapsed = math.fmod(now, width)  -- exact; `%` divides first, which may round up
local bucket = (now - elapsed) / width

local function text(number)
  return string.format('%.0f', number)
end

local function milliseconds(time)
  return text(math.ceil(time / 1000) + 1)
end

-- A table of windows: the counts of this bucket of time, and of the one before.
local function open(name)
  return {
    current = prefix .. name .. ':' .. text(bucket),
    previous = prefix .. name .. ':' .. text(bucket - 1),
    expires = false,
  }
end

local tables = {open('customers'), open('baristas')}
local refused = open('refusals')

-- The window of an address; if the table has no room for it, the window that all others share.
local function window_of(table, address)
  local current = redis.call('HGET', table.current, address)
  local previous = redis.call('HGET', table.previous, address)
  if not current then
    -- An address of the previous bucket has room until the table is twice as large.
    local room = previous and 2 * most or most
    if redis.call('HLEN', table.current) >= room and address ~= OTHERS then
      return window_of(table, OTHERS)
    end
  end
  return {
    table = table,
    address = address,
    current = tonumber(current or 0),
    previous = tonumber(previous or 0),
  }
end

local function add(window, times)
  local key = window.table.current
  window.current = redis.call('HINCRBY', key, window.address, text(times))
  if not window.table.expires then
    window.table.expires = true
    redis.call('PEXPIRE', key, milliseconds(2 * width - elapsed))
  end
end

local function estimate(window)
  return window.current + window.previous * (1 - elapsed / width)
end

local function until_room(window, limit)
  local spare = limit - 1 - window.current
  if spare >= window.previous then
    return 0
  end
  if spare < 0 then
    return width * (2 - (limit - 1) / window.current) - elapsed
  end
  local wait = width * (1 - spare / window.previous) - elapsed
  return wait > INSTANT and wait or 0
end

-- When the ban of an address ends, and its length; a lifted ban has the length 0.
local function ban_of(address)
  local found = redis.call('HGET', prefix .. 'bans', address)
  if not found then
    return nil
  end
  local ends, seconds = string.match(found, '^(%d+):(%d+)$')
  return tonumber(ends), tonumber(seconds)
end

local function seconds_left(address)
  local ends = ban_of(address)
  return ends and math.max(0, ends - now) or 0
end

local function is_past(ends, seconds)
  return now >= math.max(ends, ends - seconds + longest)
end

-- Drop the oldest ban if it no longer matters; return whether there is room for another.
local function make_room()
  local full = redis.call('ZCARD', prefix .. 'news') >= most
  local oldest = redis.call('ZRANGE', prefix .. 'news', 0, 0)[1]
  if oldest then
    local ends, seconds = ban_of(oldest)
    if not ends or is_past(ends, seconds) or (seconds == 0 and full) then
      redis.call('ZREM', prefix .. 'news', oldest)
      redis.call('HDEL', prefix .. 'bans', oldest)
    end
  end
  return redis.call('ZCARD', prefix .. 'news') < most
end

local function last_revision()
  return tonumber(redis.call('GET', prefix .. 'revision') or 0)
end

local function enter(address, ends, seconds)
  -- At least the time, so that a server that has lost its keys uses no revision twice.
  local revision = text(math.max(last_revision() + 1, now))
  redis.call('SET', prefix .. 'revision', revision, 'PX', milliseconds(longest))
  redis.call('HSET', prefix .. 'bans', address, text(ends) .. ':' .. text(seconds))
  redis.call('ZADD', prefix .. 'news', revision, address)
  redis.call('PEXPIRE', prefix .. 'bans', milliseconds(longest))
  redis.call('PEXPIRE', prefix .. 'news', milliseconds(longest))
end

local function impose(address, ends, seconds)
  if seconds_left(address) == 0 and not (make_room() or ban_of(address)) then
    return
  end
  enter(address, ends, seconds)
end

local function forget_refusals(address)
  redis.call('HDEL', refused.current, address)
  redis.call('HDEL', refused.previous, address)
  refused.expires = false  -- Redis deletes an empty hash, and its expiry with it
end

-- Count refusals, which may impose or lengthen a ban.
local function record(address, times)
  local ends, seconds = ban_of(address)
  if ends and (seconds == 0 or is_past(ends, seconds)) then
    ends = nil
  end
  if ends and now < ends - seconds + width then
    return
  end
  local window = window_of(refused, address)
  if window.address == OTHERS then
    return
  end
  add(window, times)
  if estimate(window) >= after then
    forget_refusals(address)
    local length = ends and math.min(2 * seconds, longest) or first
    impose(address, now + length, length)
  end
end

-- Impose a ban that a front knows, unless the one known here is as new.
local function offer(address, left, seconds)
  local ends, length = ban_of(address)
  local since = now + left - seconds
  if not ends or ends - length < since - width / 2 then
    impose(address, now + left, seconds)
  end
end

local function lift(address)
  local was_banned = seconds_left(address) > 0
  forget_refusals(address)
  if was_banned or make_room() or ban_of(address) then
    enter(address, now, 0)
  end
  return was_banned
end

-- Count `uncounted` earlier requests, this one, and a grant of at most `wanted` later ones.
local function admit(address, port, uncounted, wanted)
  local left = seconds_left(address)
  if left > 0 then
    record(address, 1)
    return {BANNED, 0, math.ceil(seconds_left(address)), 0}
  end
  local quota, window = quotas[port], window_of(tables[port], address)
  if uncounted > 0 then
    add(window, uncounted)
  end
  local wait = until_room(window, quota)
  if wait > 0 then
    record(address, 1)
    return {OVER_LIMIT, 0, math.ceil(math.max(wait, seconds_left(address))), 0}
  end
  add(window, 1)
  local remaining = math.max(0, math.floor(quota - estimate(window)))
  local granted = 0
  if window.address ~= OTHERS then
    granted = math.min(wanted, math.floor(remaining / share))
  end
  if granted > 0 then
    add(window, granted)
  end
  return {ADMITTED, remaining - granted, 2 * width - elapsed, granted}
end

-- The bans in force, and the lifted ones, after the revision that the front has seen.
local function news()
  local found, newest = {}, last_revision()
  local from = seen > newest and 0 or seen
  local entries = redis.call(
    'ZRANGEBYSCORE', prefix .. 'news', '(' .. text(from), '+inf', 'WITHSCORES', 'LIMIT', 0, page
  )
  for at = 1, #entries, 2 do
    local ends, seconds = ban_of(entries[at])
    if ends and (ends > now or seconds == 0) then
      found[#found + 1] = {entries[at], math.max(0, ends - now), seconds}
    end
  end
  local is_all = #entries < 2 * page
  return is_all and newest or tonumber(entries[#entries]), is_all, found
end

local function addresses()
  local sum = 0
  for _, table in ipairs(tables) do
    sum = sum + math.max(
      redis.call('HLEN', table.current), redis.call('HLEN', table.previous)
    )
  end
  return sum
end

for _, ban in ipairs(offered) do
  offer(unpack(ban))
end
local lifted, admitted = {}, {}
for at, address in ipairs(lifts) do
  lifted[at] = lift(address)
end
for _, counted in ipairs(refusals) do
  record(unpack(counted))
end
for at, asked in ipairs(admits) do
  admitted[at] = admit(unpack(asked))
end
local revision, is_all, found = news()
return cmsgpack.pack({revision, is_all, width - elapsed, addresses(), found, lifted, admitted})
