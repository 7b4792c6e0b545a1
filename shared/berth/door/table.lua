-- The routing table: one small file a model, replaced whole by the sidecar, on a volume in memory.
-- Reading it at each request costs microseconds, is never stale, and a change touches one file however
-- many models there are.
local lookup = (function()
  local BYTES, ABSENT = 65536, 2 -- bound of one file; ENOENT

  -- The file's lines by their first word, each a list of the rest. nil: absent; false: it cannot be read.
  local function lines(path)
    local file, _, code = io.open(path, "rb")
    if not file then return code ~= ABSENT and false or nil end
    local text = file:read(BYTES)
    file:close()
    if not text then return false end
    local found = {}
    for word, rest in text:gmatch("(%l+) ([^\n]*)\n") do
      found[word] = found[word] or {}
      table.insert(found[word], rest)
    end
    return found
  end

  local function holds(list, wanted)
    for _, one in ipairs(list or {}) do
      if one == wanted then return true end
    end
    return false
  end

  local function first(list) return list and list[1] end

  -- Seeded once for each worker: LuaJIT starts every state with the same numbers.
  local seeded = false
  local function draw()
    if not seeded then
      local source = io.open("/dev/urandom", "rb")
      local a, b, c, d = source:read(4):byte(1, 4)
      source:close()
      math.randomseed(((a * 256 + b) * 256 + c) * 256 + d)
      seeded = true
    end
    return math.random() * 100
  end

  -- What an unversioned request gets: a canary by its percentage, else the default.
  local function drawn(route)
    local share = draw()
    for _, one in ipairs(route.canary or {}) do
      local version, percent = one:match("^(%d+) ([%d.]+)$")
      share = share - tonumber(percent)
      if share < 0 then return version end
    end
    return first(route.default)
  end

  -- The version that a request gets; nil and the reason.
  local function choose(route, asked)
    if asked.version then
      if holds(route.version, asked.version) then return asked.version end
      return nil, "version " .. asked.version:sub(1, 20) .. " is not served"
    end
    if not asked.label then return drawn(route) end
    for _, one in ipairs(route.label or {}) do
      local label, version = one:match("^([%w_]+) (%d+)$")
      if label == asked.label then return version end
    end
    return nil, "no such label"
  end

  return { lines = lines, holds = holds, first = first, choose = choose }
end)()
