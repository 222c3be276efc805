-- SPDX-License-Identifier: GPL-3.0-or-later
-- Which writes an answer can have seen: part of the key of whatever is kept.
--
-- devpi commits before it answers. A counter that goes up when an answer to a write arrives, and
-- before its first byte goes on, therefore divides all reads: one that begins after the client has
-- the answer carries the new number, and what is kept under that was asked for after the commit.
-- An answer that comes late is kept under the old number, where nobody looks who starts later.

local metrics = require "front.metrics"
local request = require "front.request"

local counters = ngx.shared.front_epoch

local M = {}

local READS = { GET = true, HEAD = true, OPTIONS = true }
-- devpi has looked at the credentials or the path and done nothing; without these exceptions
-- anybody could empty the cache. Other refusals may come with a commit: an upload that conflicts
-- has registered its version before.
local REFUSED = { [401] = true, [403] = true, [404] = true, [405] = true }
-- What devpi takes for a wish to read, whatever the method.
local READ_BY_ALL = {
    "^/%+login$",
    "^/%+logout$",
    "^/%+authcheck$",
    "^/%+status$",
    "^/%+api$",
    "^/[^/]+/%+api$",
    "^/[^/]+/[^/]+/%+api$",
    "^/[^/]+/[^/]+/%+simple/?[^/]*/?$",
}
-- The same, but for these methods.
local FILE = "^/[^/]+/[^/]+/%+[ef]/"
local WRITES_FILE = { POST = true, DELETE = true }
-- Everybody may have a mirror's page of a project refreshed. That outdates the pages of that project
-- on all indexes, and what is not of one project; the others stay. Projects share some counters, as
-- all of them must have room.
local REFRESH = "^/[^/]+/[^/]+/%+simple/([^/]+)/refresh$"
local SHARES = 64
-- Seconds. A write whose answer was lost may be committed later than that.
local DOUBT = 30

-- The counter starts at zero with nginx, while files of the cache before may be left.
local boot

function M.begin()
    math.randomseed(ngx.time() + ngx.worker.pid())
    boot = string.format("%x.%x", ngx.time(), math.random(0, 0xffffff))
end

local function share_of(project)
    return "refreshes " .. ngx.crc32_short(project:lower():gsub("[-_.]+", "-")) % SHARES
end

-- A text that is another one after each write; for the pages of a project, if one is given.
function M.now(project)
    local refreshes = counters:get(project and share_of(project) or "refreshes") or 0
    return boot .. "." .. (counters:get("writes") or 0) .. "." .. refreshes
end

-- Whether a write may be committed without any sign of it, so that nothing kept can be trusted.
function M.in_doubt()
    return counters:get("doubt") ~= nil
end

local function advance()
    local path = request.path()
    local project = path and ngx.req.get_method() == "POST" and path:match(REFRESH)
    ngx.ctx.advanced = true
    if project then
        counters:incr("refreshes", 1, 0)
        counters:incr(share_of(project), 1, 0)
    else
        counters:incr("writes", 1, 0)
    end
    metrics.on_write()
end

-- Whether this request may change what devpi has.
local function writes()
    local method = ngx.req.get_method()
    if READS[method] or ngx.is_subrequest then
        return false
    end
    local path = request.path()
    if not path then
        return true
    end
    for _, pattern in ipairs(READ_BY_ALL) do
        if path:find(pattern) then
            return false
        end
    end
    return WRITES_FILE[method] or not path:find(FILE)
end

-- Whether devpi has changed nothing. Of a user or an index that there is already it says so first.
local function refused(status)
    return REFUSED[status] or (status == 409 and ngx.req.get_method() == "PUT")
end

-- The last of the values that nginx has for the requests to devpi; nil if there was none, or if it
-- has none for that one.
local function last(name)
    local value = ngx.var["upstream_" .. name]
    value = value and value:match("[^, ]+$")
    return value ~= "-" and value or nil
end

-- Before the answer's header goes out.
function M.on_header()
    if not writes() or not last("connect_time") then
        return
    end
    if not last("header_time") then
        counters:set("doubt", true, DOUBT)
        advance()
    elseif not refused(tonumber(last("status"))) then
        advance()
    end
end

-- At the end, for a request that has had no header: its client went away.
function M.on_end()
    if writes() and last("connect_time") and not last("header_time") and not ngx.ctx.advanced then
        advance()
    end
end

return M
