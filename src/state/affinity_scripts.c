/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity_scripts.c: the Lua. */
#include "state/affinity_scripts.h"

enum { KEYS_OF_A_USER = 2 };

/* What all of them begin with: the time, who is gone, and what is there. */
#define COMMON \
	"local K, L = KEYS[1], KEYS[2]\n" \
	"local t = redis.call('TIME')\n" \
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n" \
	"local stamp = string.format('%.0f', t[1] * 1000000 + t[2])\n" \
	"local v = redis.call('HMGET', K, 's', 'g', 'k', 't', 'h', 'p', 'n', 'm', 'w')\n" \
	"local s, g, k, since = v[1], v[2] or '0', v[3] or '0', v[4] or '0'\n" \
	"local hold, pin, live, moving = v[5] or '0', v[6], 0, v[8] or '0'\n" \
	"local mark\n" \
	"local function after(time)\n" \
	"  return tonumber(stamp) > tonumber(time) and stamp or string.format('%.0f', time + 1)\n" \
	"end\n" \
	"local function left_of(time) return math.max(tonumber(time) - now, 0) end\n" \
	"local function held() return math.max(left_of(hold), left_of(moving)) end\n" \
	"local function from_now(ms) return string.format('%.0f', now + ms) end\n" \
	"local function sessions()\n" \
	"  local sum, all = 0, redis.call('HGETALL', K)\n" \
	"  for i = 1, #all, 2 do\n" \
	"    if string.sub(all[i], 1, 2) == 'c:' then sum = sum + tonumber(all[i + 1]) end\n" \
	"  end\n" \
	"  return sum\n" \
	"end\n" \
	"local function forget(inc) redis.call('HDEL', K, 'c:' .. inc, 'q:' .. inc) end\n" \
	"local function keep(ms)\n" \
	"  if pin then redis.call('PERSIST', K)\n" \
	"  else redis.call('PEXPIRE', K, math.max(ms, held(), 1)) end\n" \
	"end\n" \
	"local function answer(status)\n" \
	"  local age = since ~= '0' and math.max(now - tonumber(since), 0) or -1\n" \
	"  return { status, s or '', g, k, age, sessions(), v[7] or '', live, mark or hold, held(),\n" \
	"    pin or '', left_of(hold), stamp }\n" \
	"end\n"
/*
 * Who holds it for longer than twice the longest lease has said so before Redis' clock was set back; a clock
 * that was set right by a little ends nobody's lease.
 */
#define SWEEP \
	"redis.call('ZREMRANGEBYSCORE', L, now + 1200000, '+inf')\n" \
	"for _, m in ipairs(redis.call('ZRANGEBYSCORE', L, '-inf', now)) do\n" \
	"  forget(string.match(m, '^[^/]*'))\n" \
	"end\n" \
	"redis.call('ZREMRANGEBYSCORE', L, '-inf', now)\n" \
	"local members = redis.call('ZRANGE', L, 0, -1)\n"
/* Of a proxy's own members all go but the one that it says is all it has. */
#define PURGE \
	"local function purge(inc, own)\n" \
	"  local kept = {}\n" \
	"  for _, m in ipairs(members) do\n" \
	"    local i, h = string.match(m, '^([^/]*)/(.*)$')\n" \
	"    if i == inc and h ~= own then redis.call('ZREM', L, m) else kept[#kept + 1] = m end\n" \
	"  end\n" \
	"  members = kept\n" \
	"end\n"
/* Whoever holds an older generation is in the way. */
#define BIND \
	"local function bind(server)\n" \
	"  s, since = server, string.format('%.0f', now)\n" \
	"  g = after(g)\n" \
	"  redis.call('HSET', K, 's', s, 'g', g, 't', since)\n" \
	"end\n" \
	"local function is_blocked()\n" \
	"  for _, m in ipairs(members) do\n" \
	"    if string.match(m, '/(.*)$') ~= g then return true end\n" \
	"  end\n" \
	"  return false\n" \
	"end\n"

/* is_latest: the proxy's threads may overtake each other. */
#define OPEN COMMON SWEEP PURGE BIND \
	"local inc, wanted, lease, retention = ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])\n" \
	"local is_latest = tonumber(ARGV[7]) > tonumber(redis.call('HGET', K, 'q:' .. inc) or '0')\n" \
	"if is_latest and ARGV[11] ~= '' then purge(inc, ARGV[11]) end\n" \
	"if held() > 0 then return answer(3) end\n" \
	"local is_new = not s\n" \
	"if is_new then\n" \
	"  bind(pin or wanted)\n" \
	"elseif (ARGV[3] ~= '0' and ARGV[3] == g and s ~= pin) or\n" \
	"    (pin and pin ~= s and #members == 0) then\n" \
	"  is_new = true\n" \
	"  bind(pin or wanted)\n" \
	"  redis.call('PUBLISH', ARGV[9], 'moved\\n' .. ARGV[10] .. '\\n' .. g .. '\\n' .. ARGV[6])\n" \
	"end\n" \
	"if is_new then\n" \
	"  redis.call('HSET', K, 'n', ARGV[6])\n" \
	"  keep(lease + retention)\n" \
	"end\n" \
	"if s ~= wanted then return answer(2) end\n" \
	"if is_blocked() then return answer(3) end\n" \
	"if is_latest then redis.call('HSET', K, 'q:' .. inc, ARGV[7], 'c:' .. inc, ARGV[8]) end\n" \
	"redis.call('ZADD', L, now + lease, inc .. '/' .. g)\n" \
	"keep(lease + retention)\n" \
	"redis.call('PEXPIRE', L, lease + retention)\n" \
	"return answer(1)\n"
#define RENEW COMMON SWEEP PURGE \
	"local inc, server, mine = ARGV[1], ARGV[2], ARGV[3]\n" \
	"local lease, retention = tonumber(ARGV[4]), tonumber(ARGV[5])\n" \
	"local status = 1\n" \
	"local latest = redis.call('HGET', K, 'q:' .. inc) or '0'\n" \
	"if tonumber(latest) > tonumber(ARGV[7]) then return answer(1) end\n" \
	"if not s or (s ~= server and tonumber(mine) > tonumber(g)) then\n" \
	"  local is_news = s\n" \
	"  s, since = server, string.format('%.0f', now)\n" \
	"  if tonumber(mine) > tonumber(g) and #mine >= #stamp then g = mine else g = stamp end\n" \
	"  redis.call('HSET', K, 's', s, 'g', g, 't', since, 'n', ARGV[6])\n" \
	"  if is_news then\n" \
	"    redis.call('PUBLISH', ARGV[9], 'split\\n' .. ARGV[10] .. '\\n' .. g .. '\\n' .. ARGV[6])\n" \
	"  end\n" \
	"end\n" \
	"local mark = s == server and g or mine\n" \
	"if s ~= server then status = 2 end\n" \
	"if mark ~= mine then redis.call('ZREM', L, inc .. '/' .. mine) end\n" \
	"if ARGV[11] ~= '' then purge(inc, mark) end\n" \
	"redis.call('ZADD', L, now + lease, inc .. '/' .. mark)\n" \
	"redis.call('HSET', K, 'q:' .. inc, ARGV[7], 'c:' .. inc, ARGV[8])\n" \
	"keep(lease + retention)\n" \
	"redis.call('PEXPIRE', L, lease + retention)\n" \
	"return answer(status)\n"
#define CLOSE COMMON SWEEP \
	"local inc = ARGV[1]\n" \
	"local latest = redis.call('HGET', K, 'q:' .. inc) or '0'\n" \
	"if tonumber(latest) > tonumber(ARGV[2]) then return answer(1) end\n" \
	"local left = 0\n" \
	"for _, m in ipairs(members) do\n" \
	"  if string.match(m, '^[^/]*') == inc then redis.call('ZREM', L, m) else left = left + 1 end\n" \
	"end\n" \
	"forget(inc)\n" \
	"if left == 0 then keep(tonumber(ARGV[3])) end\n" \
	"return answer(1)\n"
#define PEEK COMMON \
	"local old = false\n" \
	"for _, m in ipairs(redis.call('ZRANGEBYSCORE', L, now, '+inf')) do\n" \
	"  live = live + 1\n" \
	"  if string.match(m, '/(.*)$') ~= g then old = true end\n" \
	"end\n" \
	"if pin and pin ~= s and live == 0 then s, since = pin, '0' end\n" \
	"if not s then return answer(0) end\n" \
	"return answer(old and 3 or 1)\n"
/* Of one who is on hold the name is known, and nobody can bind the user otherwise. */
#define MOVE COMMON SWEEP BIND \
	"if pin then\n" \
	"  pin = ARGV[1]\n" \
	"  redis.call('HSET', K, 'p', pin, 'i', string.format('%.0f', now))\n" \
	"end\n" \
	"if not s and held() == 0 then return answer(0) end\n" \
	"bind(ARGV[1])\n" \
	"keep(math.max(tonumber(ARGV[2]), redis.call('PTTL', K)))\n" \
	"redis.call('PUBLISH', ARGV[3], 'moved\\n' .. ARGV[4] .. '\\n' .. g .. '\\n' .. v[7])\n" \
	"return answer(#members > 0 and 3 or 1)\n"
#define KICK COMMON SWEEP \
	"if not s then return answer(0) end\n" \
	"k = after(k)\n" \
	"redis.call('HSET', K, 'k', k)\n" \
	"redis.call('PUBLISH', ARGV[1], 'kick\\n' .. ARGV[2] .. '\\n' .. k .. '\\n' .. v[7])\n" \
	"return answer(1)\n"
/*
 * Of an order that is told again, as Redis may have lost it, the age in ms; of a new one: "".  What was
 * carried out since was that order, as ages differ by a little between proxies, or a later one.
 */
#define FENCE \
	"local function is_late(field, age)\n" \
	"  local known = tonumber(redis.call('HGET', K, field) or '0')\n" \
	"  local said = now - (tonumber(age) or 0)\n" \
	"  if age ~= '' and said < known + 1000 then return true end\n" \
	"  redis.call('HSET', K, field, string.format('%.0f', said))\n" \
	"  return false\n" \
	"end\n"
#define HOLD COMMON FENCE \
	"local left, ms = redis.call('PTTL', K), tonumber(ARGV[1])\n" \
	"if ARGV[4] == '' and is_late('o', ARGV[5]) then return answer(s and 1 or 0) end\n" \
	"if ARGV[4] ~= '' then\n" \
	"  mark = v[9] or '0'\n" \
	"  if ms > 0 then\n" \
	"    moving, mark = from_now(math.max(ms, left_of(moving))), stamp\n" \
	"    redis.call('HSET', K, 'm', moving, 'w', mark, 'n', ARGV[3])\n" \
	"  elseif ARGV[2] == mark then\n" \
	"    moving, mark = '0', '0'\n" \
	"    redis.call('HDEL', K, 'm', 'w')\n" \
	"  end\n" \
	"elseif ms > 0 then\n" \
	"  hold = from_now(math.max(ms, left_of(hold)))\n" \
	"  redis.call('HSET', K, 'h', hold, 'n', ARGV[3])\n" \
	"elseif ARGV[2] == '0' or ARGV[2] == hold then\n" \
	"  hold = '0'\n" \
	"  redis.call('HDEL', K, 'h')\n" \
	"end\n" \
	"keep(left)\n" \
	"return answer(s and 1 or 0)\n"
#define PIN COMMON FENCE \
	"local left = redis.call('PTTL', K)\n" \
	"if is_late('i', ARGV[4]) then return answer(s and 1 or 0) end\n" \
	"if ARGV[1] ~= '' then\n" \
	"  pin = ARGV[1]\n" \
	"  redis.call('HSET', K, 'p', pin, 'n', ARGV[3])\n" \
	"elseif pin then\n" \
	"  pin, left = false, s and tonumber(ARGV[2]) or 0\n" \
	"  redis.call('HDEL', K, 'p')\n" \
	"end\n" \
	"keep(left)\n" \
	"return answer(s and 1 or 0)\n"

#define SCRIPT(name, text) \
	const struct cluster_script affinity_script_##name = { #name, text, KEYS_OF_A_USER, false }
SCRIPT(open, OPEN);
SCRIPT(renew, RENEW);
SCRIPT(close, CLOSE);
const struct cluster_script affinity_script_peek = { "peek", PEEK, KEYS_OF_A_USER, true };
SCRIPT(move, MOVE);
SCRIPT(kick, KICK);
SCRIPT(hold, HOLD);
SCRIPT(pin, PIN);
