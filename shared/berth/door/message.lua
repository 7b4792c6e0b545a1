-- Reads and rewrites the ModelSpec of a gRPC request: field 1 of each of TensorFlow Serving's request
-- messages (apis/model.proto: name 1, version 2 {value 1}, signature_name 3, version_label 4).
-- It is stricter than protobuf, never laxer: what it accepts means the same to the server. `read(at, n)`
-- gives n bytes from offset `at`; only tags, lengths and the ModelSpec are read, however large the body is.
local message = (function()
  local SPEC_BYTES, FIELDS = 4096, 1000 -- bounds of one ModelSpec, and of the fields walked

  -- The varint at offset `at`: its value and the offset behind it; nil where there is none in `longest` bytes.
  local function varint(read, at, last, longest)
    local text = read(at, math.min(longest, last - at))
    local value, scale = 0, 1
    for i = 1, #text do
      local byte = text:byte(i)
      value = value + (byte % 128) * scale
      if byte < 128 then return value, at + i end
      scale = scale * 128
    end
    return nil
  end

  -- The field at `at`: number, wire type, offset of its value, offset behind it. nil: malformed.
  local function field(read, at, last)
    local tag, value = varint(read, at, last, 4)
    if not tag then return nil end
    local number, wire, size = math.floor(tag / 8), tag % 8, nil
    if number == 0 then return nil end
    if wire == 0 then
      local _, behind = varint(read, value, last, 10)
      if not behind then return nil end
      return number, wire, value, behind
    elseif wire == 1 then
      size = 8
    elseif wire == 5 then
      size = 4
    elseif wire == 2 then
      size, value = varint(read, value, last, 5)
    end
    if not size or value + size > last then return nil end
    return number, wire, value, value + size
  end

  local function walk(read, at, last, visit)
    for _ = 1, FIELDS do
      if at == last then return true end
      local number, wire, value, behind = field(read, at, last)
      if not number or visit(number, wire, value, behind, at) == false then return false end
      at = behind
    end
    return at == last
  end

  -- google.protobuf.Int64Value: its value as decimal digits, "" for what no version can be. nil: malformed.
  local function int64(read, at, last)
    local found = 0
    local whole = walk(read, at, last, function(number, wire, value)
      if number ~= 1 then return true end
      if wire ~= 0 then return false end
      found = varint(read, value, last, 10)
    end)
    if not whole then return nil end
    return found < 2 ^ 53 and string.format("%d", found) or ""
  end

  -- {name, version, label, rest}, all as text; `rest` holds the other fields' bytes. nil: malformed.
  local function spec(text)
    local function read(at, n) return text:sub(at + 1, at + n) end
    local found, seen = { rest = "" }, {}
    local whole = walk(read, 0, #text, function(number, wire, value, behind, at)
      if number <= 4 and (wire ~= 2 or seen[number]) then return false end
      seen[number] = true
      if number == 1 then found.name = read(value, behind - value) end
      if number == 2 then found.version = int64(read, value, behind) end
      if number == 2 and not found.version then return false end
      if number == 4 then found.label = read(value, behind - value) end
      if number ~= 2 and number ~= 4 then found.rest = found.rest .. read(at, behind - at) end
    end)
    if not whole or (seen[2] and seen[4]) then return nil end
    return found
  end

  local function encoded(value)
    local out = {}
    while value >= 128 do
      out[#out + 1] = string.char(value % 128 + 128)
      value = math.floor(value / 128)
    end
    out[#out + 1] = string.char(value)
    return table.concat(out)
  end

  -- The request's ModelSpec with the offsets `from` and `to` of its field; nil and what is wrong.
  local function parse(read, size)
    local head = size >= 5 and read(0, 5) or "\255"
    if head:byte(1) == 1 then return nil, "compressed messages are not accepted" end
    local a, b, c, d = head:byte(2, 5)
    if head:byte(1) ~= 0 or ((a * 256 + b) * 256 + c) * 256 + d ~= size - 5 then
      return nil, "the body is not one gRPC message"
    end
    local found, wrong
    local whole = walk(read, 5, size, function(number, wire, value, behind, at)
      if number ~= 1 then return true end
      if wire ~= 2 or found or behind - value > SPEC_BYTES then return false end
      found = spec(read(value, behind - value))
      if not found then return false end
      found.from, found.to = at, behind
    end)
    if not whole then return nil, "the message or its ModelSpec is malformed" end
    if not found then return nil, "Missing ModelSpec" end
    if (found.name or "") == "" then return nil, "ModelSpec has no name specified." end
    return found
  end

  -- The whole body with the ModelSpec naming `version` (decimal digits) alone.
  local function rewrite(read, size, found, version)
    local number = "\8" .. encoded(tonumber(version))
    local text = found.rest .. "\18" .. encoded(#number) .. number
    local changed = "\10" .. encoded(#text) .. text
    local length = size - 5 - (found.to - found.from) + #changed
    local head = string.char(
      0, math.floor(length / 2 ^ 24) % 256, math.floor(length / 2 ^ 16) % 256,
      math.floor(length / 2 ^ 8) % 256, length % 256)
    return head .. read(5, found.from - 5) .. changed .. read(found.to, size - found.to)
  end

  return { parse = parse, rewrite = rewrite }
end)()
