-- SPDX-License-Identifier: GPL-3.0-or-later
-- Pages of packages, and wheels' core metadata: from nginx' cache, which one request fills and the
-- others wait for.

local epoch = require "front.epoch"
local once = require "front.once"
local request = require "front.request"

local M = {}

-- By key, what is known of a page: the status that devpi has for it.
local known = ngx.shared.front_pages

-- Seconds. Until then all who waited for the same refusal get it, and it says how often an answer
-- that could not be renewed is tried again.
local SHORT = 1

-- The refusals that are the front's own words; all others come from devpi each time.
local REFUSALS = { [404] = 404, [502] = 503, [503] = 503, [504] = 503 }

-- Let the cache have the page at `key`; the status.
local function fill(key)
    local got = ngx.location.capture("/+front/page", { method = ngx.HTTP_HEAD, copy_all_vars = true })
    local fresh = got.status == 200 and got.header["X-Cache-Status"] ~= "STALE"
    known:set(key, got.status, fresh and tonumber(ngx.var.front_fresh) or SHORT)
    return got.status
end

-- Answer from the cache; come back if devpi has to.
local function serve(accept, project)
    if epoch.in_doubt() then
        return
    end
    local var = ngx.var
    local key = table.concat({ accept, var.scheme, var.http_host or "", var.request_uri, epoch.now(project) }, " ")
    var.front_key, var.front_accept = key, accept
    local status = once.done("page " .. key, function()
        return known:get(key)
    end, function()
        return fill(key)
    end)
    if status == 200 then
        return ngx.exec("/+front/page")
    end
    if REFUSALS[status] then
        return ngx.exit(REFUSALS[status])
    end
end

-- Answer a request for a page; come back if devpi has to.
function M.answer()
    local accept, project = request.page()
    if accept then
        serve(accept, project)
    end
end

-- The same for core metadata, which never change as long as they are there.
function M.metadata()
    ngx.var.front_cache_control = "max-age=365000000, immutable, public"
    serve("*/*")
end

-- In the server behind the cache: what devpi has for anybody, with its ETag.
local KEPT = { "Content-Type", "Vary", "X-Pypi-Last-Serial", "X-Devpi-Api-Version", "X-Devpi-Server-Version" }

function M.render()
    local got = ngx.location.capture("/+front/render")
    if got.truncated then
        return ngx.exit(502)
    end
    ngx.status = got.status
    for _, name in ipairs(KEPT) do
        ngx.header[name] = got.header[name]
    end
    -- devpi means to say so of metadata, and says nothing.
    ngx.header["Content-Type"] = got.header["Content-Type"] or "application/octet-stream"
    if got.status == 200 then
        ngx.header["ETag"] = 'W/"' .. ngx.md5(got.body) .. '"'
        ngx.header["Cache-Control"] = ngx.var.front_lifetime
        ngx.header["Content-Length"] = #got.body
    end
    ngx.print(got.body)
end

return M
