-- http-request lua.postern asks Postern, behind the section postern, whether to
-- let a request through. It does so with a request of its own, in which nothing
-- is the client's but what is named here; txn.postern_user is the user that this
-- proxy has signed in, if it has.

local app_key = nil -- "pk_...", where Postern wants one

local for_application = {"x-postern-subject", "x-postern-role", "x-postern-decision-id", "x-postern-obligations", "x-postern-stale"}

local function question(txn)
    local headers = {
        ["x-forwarded-method"] = {txn.sf:method()},
        ["x-forwarded-proto"] = {txn.f:ssl_fc() == 1 and "https" or "http"},
        ["x-forwarded-host"] = {txn.sf:req_hdr("host")},
        ["x-forwarded-uri"] = {txn.sf:pathq()},
        ["x-forwarded-for"] = {txn.sf:src()},
    }
    local sent = txn.http:req_get_headers()
    for _, name in ipairs({"authorization", "traceparent", "tracestate"}) do
        for _, value in pairs(sent[name] or {}) do
            headers[name] = headers[name] or {}
            table.insert(headers[name], value)
        end
    end
    local user = txn:get_var("txn.postern_user")
    if user then
        headers["remote-user"] = {user}
    end
    if app_key then
        headers["postern-app-key"] = {app_key}
    end
    return headers
end

local function refuse(txn, answer)
    local reply = txn:reply{status = answer.status, body = answer.body or ""}
    for _, name in ipairs({"content-type", "www-authenticate", "retry-after", "cache-control"}) do
        for _, value in pairs(answer.headers and answer.headers[name] or {}) do
            reply:add_header(name, value)
        end
    end
    txn:done(reply)
end

core.register_action("postern", {"http-req"}, function(txn)
    local answer = core.httpclient():get{
        url = "http://postern/authz/forward-auth", dst = "abns@postern", headers = question(txn), timeout = 5000,
    }
    if not answer or not answer.status or answer.status == 0 then
        return refuse(txn, {status = 503})
    end
    if answer.status ~= 200 then
        return refuse(txn, answer)
    end
    for _, name in ipairs(for_application) do
        local said = answer.headers[name]
        txn.http:req_set_header(name, said and said[0] or "")
    end
end, 0)
