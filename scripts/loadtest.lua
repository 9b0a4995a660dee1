-- Registers contacts with wrk:
--   wrk -t1 -c128 -d10s -s scripts/loadtest.lua http://127.0.0.1:8000 -- [SOURCES] [CLOSE_SHARE] [KEYS] [MANY]
-- The sources have the ids 1 to SOURCES (1). CLOSE_SHARE (0) of the requests close a contact registered before. With KEYS
-- (0) of 1 each has an Idempotency-Key; with MANY (0) each registers so many contacts.
-- Where keys are asked for, API_KEY has one.
-- Prints one line of JSON after wrk's own: times in milliseconds, `failed` counts what was neither 200 nor 201.
local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("worker", threads)
end

local n, open = 0, {}
local headers = { ["Content-Type"] = "application/json" }
if os.getenv("API_KEY") then headers["Authorization"] = "Bearer " .. os.getenv("API_KEY") end

function init(args)
  sources, closeShare = tonumber(args[1] or 1), tonumber(args[2] or 0)
  keys, many = args[3] == "1", tonumber(args[4] or 0)
  -- A run's leads are new ones: phones begin with the time and something random.
  local file = io.open("/dev/urandom", "rb")
  local a, b, c = file:read(3):byte(1, 3)
  file:close()
  run = string.format("%d%03d%d", os.time(), (a * 65536 + b * 256 + c) % 1000, worker)
  math.randomseed(os.time() + worker)
  -- With `response` defined wrk reads each answer into Lua, which costs: only who closes needs the ids.
  if closeShare == 0 then response = nil end
end

function request()
  if #open > 0 and math.random() < closeShare then
    return wrk.format("PATCH", "/api/v1/contacts/" .. table.remove(open), headers, '{"status": "closed"}')
  end
  if keys then headers["Idempotency-Key"] = run .. "-" .. n end
  if many == 0 then return wrk.format("POST", "/api/v1/contacts", headers, registration()) end
  local contacts = {}
  for i = 1, many do contacts[i] = registration() end
  return wrk.format("POST", "/api/v1/contacts/batch", headers, '{"contacts": [' .. table.concat(contacts, ",") .. "]}")
end

function registration()
  n = n + 1
  return '{"source_id": ' .. n % sources + 1 .. ', "lead_phone": "+' .. run .. n ..
    '", "lead_name": "Петр Петров", "message": "Хочу узнать о продукте"}'
end

function response(status, _, body)
  if status == 201 then table.insert(open, body:match('"id":(%d+)')) end
end

function done(summary, latency)
  local e = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %.3f, "per_second": %.0f, "p50_ms": %.2f, "p99_ms": %.2f, "max_ms": %.2f, "failed": %d}',
    summary.requests, summary.duration / 1e6, summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    e.status + e.connect + e.read + e.write + e.timeout))
end
