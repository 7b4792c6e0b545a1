-- What a request asks for: the model, the version or label, and for REST what to do with it.
local target = (function()
  local VERBS = { predict = true, classify = true, regress = true }
  local METHODS = {
    ["/tensorflow.serving.PredictionService/Predict"] = true,
    ["/tensorflow.serving.PredictionService/Classify"] = true,
    ["/tensorflow.serving.PredictionService/Regress"] = true,
    ["/tensorflow.serving.PredictionService/GetModelMetadata"] = true,
    ["/tensorflow.serving.ModelService/GetModelStatus"] = true,
  }

  -- Percent-decoded once, as the server decodes; nil for a sign that is no escape.
  local function decoded(text)
    local plain = text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    local escapes, found = select(2, text:gsub("%%", "")), select(2, text:gsub("%%%x%x", ""))
    return escapes == found and plain or nil
  end

  -- A model's name is <customer>.<model>, both of [a-z0-9-], at most 40 long; returns the customer.
  local function customer_of(name)
    local customer, model = name:match("^([a-z0-9][a-z0-9-]*)%.([a-z0-9][a-z0-9-]*)$")
    if customer and #customer <= 40 and #model <= 40 then return customer end
  end

  -- Version digits without leading zeros, as the server's conversion reads them.
  local function number(digits)
    return digits:match("^0*(%d+)$")
  end

  -- {name, version, label, tail} of a REST request; nil where TensorFlow Serving has no such address.
  -- The fixed parts match whatever their case; a query string makes an address malformed, as there.
  local function rest(method, path)
    local root, rest_of = path:match("^(/%a%d/%a+/)([^/:?#]+.*)$")
    if not root or root:lower() ~= "/v1/models/" then return nil end
    local raw, tail = rest_of:match("^([^/:?#]+)(.*)$")
    local asked = { name = decoded(raw) or "" }
    local kind, which, behind = tail:match("^/(%a+)/([^/:?#]+)(.*)$")
    if kind and kind:lower() == "versions" and which:match("^%d+$") then
      asked.version, tail = number(which), behind
    elseif kind and kind:lower() == "labels" then
      asked.label, tail = decoded(which) or "", behind
    end
    asked.tail = tail:lower()
    if method == "POST" then
      return VERBS[asked.tail:match("^:(%l+)$")] and asked or nil
    end
    asked.status = asked.tail == ""
    return method == "GET" and (asked.status or asked.tail == "/metadata") and asked or nil
  end

  return { rest = rest, customer_of = customer_of, methods = METHODS }
end)()
