-- The door: decides for each request who asks, which model and version, and which shard serves it.
-- Nothing is forwarded that was not understood. SETTINGS (folder, body) stands before this text.

-- HTTP status and gRPC status of each refusal (TensorFlow Serving's own map where it has one).
local INVALID, UNKNOWN_KEY, FORBIDDEN = { "400", "3" }, { "401", "16" }, { "403", "7" }
local MISSING, TOO_LARGE, NO_METHOD = { "404", "5" }, { "413", "8" }, { "404", "12" }
local PENDING = { "503", "14" }
local RETRY_SECONDS = "5"
local TOKEN = "^[Bb]earer (berth_([a-z0-9][a-z0-9-]*)_([%w_-]+))$"
local SECRET, TOKEN_BYTES = 43, 160

local function refuse(handle, kind, reason)
  local headers = { [":status"] = kind[1], ["content-type"] = "application/json" }
  if handle.grpc then headers["grpc-status"] = kind[2] end
  if kind == UNKNOWN_KEY then headers["www-authenticate"] = "Bearer" end
  if kind == PENDING then headers["retry-after"] = RETRY_SECONDS end
  handle.stream:respond(headers, reason)
end

-- Take away what only the door may say, and what would change how Envoy retries or waits; the model
-- that the client names beside the request is handed back.
local function strip(headers)
  local named, ours = headers:get("x-berth-model"), {}
  for key in pairs(headers) do
    if key:sub(1, 8) == "x-berth-" or key:sub(1, 8) == "x-envoy-" then ours[key] = true end
  end
  for key in pairs(ours) do headers:remove(key) end
  return named
end

-- {customer, digest} of the key that came, or nil.
local function caller(headers)
  local text = headers:get("authorization")
  local alone = headers:getNumValues("authorization") == 1
  headers:remove("authorization")
  if not text or not alone or #text > TOKEN_BYTES then return nil end
  local token, customer, secret = text:match(TOKEN)
  if not token or #secret ~= SECRET or #customer > 40 then return nil end
  return { customer = customer, digest = sha256(token) }
end

-- What is asked, from the path or from the body; refuses and returns nil where it is not understood.
local function understood(handle, headers)
  local method, path = headers:get(":method") or "", headers:get(":path") or ""
  if not handle.grpc then
    local asked = target.rest(method, path)
    if asked then return asked end
    local known = path:sub(1, 4):lower() == "/v1/"
    local reason = "Malformed request: " .. method .. " " .. path:sub(1, 200)
    return refuse(handle, known and INVALID or MISSING, known and reason or "no such address")
  end
  if method ~= "POST" or not target.methods[path] then
    return refuse(handle, NO_METHOD, "no such method: " .. path:sub(1, 200))
  end
  return { method = path, status = path:sub(-15) == "/GetModelStatus" }
end

local function grpc_model(handle, asked)
  local size = handle.body and handle.body:length() or 0
  local function read(at, n) return n > 0 and handle.body:getBytes(at, n) or "" end
  local spec, wrong = message.parse(read, size)
  if not spec then return refuse(handle, INVALID, wrong) end
  asked.name, asked.version, asked.label = spec.name, spec.version, spec.label
  asked.put = function(version)
    handle.body:setBytes(message.rewrite(read, size, spec, version))
  end
  return asked
end

-- The model's route for this caller; refuses and returns nil where there is none.
local function authorised(handle, asked, who)
  local customer = target.customer_of(asked.name)
  if not customer then
    return refuse(handle, MISSING, "no model has such a name: <customer>.<model> is wanted")
  end
  if customer ~= who.customer then
    return refuse(handle, FORBIDDEN, "this key is not one of " .. customer .. "'s")
  end
  local route = lookup.lines(SETTINGS.folder .. "/models/" .. asked.name)
  local keys = route or lookup.lines(SETTINGS.folder .. "/customers/" .. customer)
  if route == false or keys == false then
    return refuse(handle, PENDING, "the routing table cannot be read")
  end
  if keys and not lookup.holds(keys.key, who.digest) then
    return refuse(handle, UNKNOWN_KEY, "this key is not known, or not any more")
  end
  if not route then return refuse(handle, MISSING, "no model " .. asked.name .. " is served") end
  return route
end

local function forward(handle, headers, asked, route, version)
  local shard = lookup.first(route.shard)
  headers:replace("x-berth-cluster", (handle.grpc and "grpc-" or "rest-") .. shard)
  headers:replace("x-berth-customer", target.customer_of(asked.name))
  headers:replace("x-berth-plan", lookup.first(route.plan) or "")
  if not handle.grpc then
    local exact = version and "/versions/" .. version or ""
    headers:replace(":path", "/v1/models/" .. asked.name .. exact .. asked.tail)
  elseif version and version ~= asked.version then
    asked.put(version)
  end
  handle.stream:clearRouteCache()
end

local function routed(handle, headers, asked, route)
  if not route.version then
    local reason = lookup.first(route.reason) or "it is not served yet"
    return refuse(handle, PENDING, asked.name .. " is pending: " .. reason)
  end
  -- A model's status without a version is asked of all its versions, as TensorFlow Serving has it.
  if asked.status and not asked.version and not asked.label then
    return forward(handle, headers, asked, route, nil)
  end
  local version, wrong = lookup.choose(route, asked)
  if version then return forward(handle, headers, asked, route, version) end
  if wrong then return refuse(handle, MISSING, asked.name .. ": " .. wrong) end
  refuse(handle, PENDING, asked.name .. " is pending: no version is served by default yet")
end

local function decide(stream)
  local headers = stream:headers()
  local kind = headers:get("content-type") or ""
  local grpc = kind == "application/grpc" or kind:sub(1, 17) == "application/grpc+"
  local handle = { stream = stream, grpc = grpc }
  local named, who = strip(headers), caller(headers)
  local asked = understood(handle, headers)
  if not asked then return end
  if not who then
    return refuse(handle, UNKNOWN_KEY, "a key is needed: Authorization: Bearer berth_...")
  end
  if tonumber(headers:get("content-length") or "0") > SETTINGS.body then
    return refuse(handle, TOO_LARGE, "a request's body is bounded: " .. SETTINGS.body .. " bytes")
  end
  -- For REST the key is held to the model before the body is awaited; for gRPC the body names the model.
  if not grpc and not authorised(handle, asked, who) then return end
  handle.body = stream:body()
  headers = stream:headers() -- what was handed out before a wait is dead after it
  if grpc and not grpc_model(handle, asked) then return end
  if named and named ~= asked.name then
    return refuse(handle, INVALID, "x-berth-model names another model than the request")
  end
  local route = authorised(handle, asked, who)
  if route then routed(handle, headers, asked, route) end
end

-- Envoy forwards a request whose script failed: a fault of ours must refuse instead.
function envoy_on_request(stream)
  local well, wrong = pcall(decide, stream)
  if not well then
    stream:logErr("the door's filter failed: " .. tostring(wrong))
    stream:respond({ [":status"] = "500", ["grpc-status"] = "13" }, "the door failed")
  end
end
