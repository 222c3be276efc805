-- SPDX-License-Identifier: GPL-3.0-or-later
-- Files of packages: from devpi's own disk, once devpi has said that anybody may have them.
--
-- Where a file lies says neither that it may be read nor that it is there for devpi: what was
-- deleted from a mirror stays on the disk, and so does what a crash has left.

local disk = require "front.disk"
local epoch = require "front.epoch"
local once = require "front.once"
local pages = require "front.pages"
local request = require "front.request"

local M = {}

-- By path and epoch, devpi's verdict: until when it is good (s), and the file's type; no type where
-- devpi does not let everybody have it.
local verdicts = ngx.shared.front_verdicts
local locks = ngx.shared.front_locks

-- Seconds that a verdict is good for that devpi could not give anew or that was a refusal (others
-- are as good as pages); and how long it is kept beyond that, for the time that devpi does not answer.
local SHORT = 1
local KEPT = 86400
-- Seconds that others wait for the first download of a file from a mirror, and that they leave its
-- last byte to become a file on the disk.
local PATIENCE = 10
local GRACE = 1
local PAUSE = 0.01

local function remember(key, kind, seconds)
    verdicts:set(key, ngx.now() + seconds .. " " .. kind, KEPT)
    return kind
end

-- The verdict's type, and whether it is still good; nil if there is none.
local function remembered(key)
    local ends, kind = (verdicts:get(key) or ""):match("^(%S+) (.*)$")
    return kind, ends and ngx.now() < tonumber(ends)
end

-- Ask devpi as nobody in particular; the file's type, empty for a refusal.
local function ask(key)
    local got = ngx.location.capture("/+front/verdict", { method = ngx.HTTP_HEAD })
    if got.status == 200 then
        return remember(key, got.header["Content-Type"] or "application/octet-stream", tonumber(ngx.var.front_age))
    end
    -- devpi is away, and nothing has been written since it gave the last one.
    local before = got.status >= 502 and remembered(key)
    return remember(key, before or "", SHORT)
end

-- Wait for somebody else's first download; whether it is on the disk. Else it is this request that
-- downloads, and the others wait for its end.
local function downloaded(path)
    local name = "download " .. path
    local deadline = ngx.now() + PATIENCE
    repeat
        if disk.has(path) then
            return true
        end
        local state = locks:get(name)
        if state == "failed" then
            return false
        end
        if not state and locks:add(name, "under way", tonumber(ngx.var.front_timeout)) then
            ngx.var.front_download = name
            return false
        end
        ngx.sleep(PAUSE)
    until ngx.now() > deadline
    return false
end

-- Answer from the disk; come back if devpi has to.
function M.answer()
    local kind = request.file()
    if kind == "metadata" then
        return pages.metadata()
    end
    if not kind or ngx.var.front_files == "" or epoch.in_doubt() then
        return disk.keep_room()
    end
    local path = ngx.var.uri
    local key = path .. " " .. epoch.now()
    local function known()
        local kind, good = remembered(key)
        return good and kind or nil
    end
    local kind = known()
    if not kind then
        if not disk.has(path) then
            disk.keep_room()
            if ngx.req.get_method() == "HEAD" or not downloaded(path) then
                return
            end
        end
        kind = once.done("verdict " .. key, known, function()
            return ask(key)
        end)
    end
    if kind and kind ~= "" then
        ngx.var.front_type = kind
        return ngx.exec("@file")
    end
end

-- At the end of a request: let those go on who waited for its download.
function M.on_end()
    local name = ngx.var.front_download
    if name == "" then
        return
    end
    if ngx.status == 200 then
        locks:set(name, "done", GRACE)
    elseif ngx.status >= 500 or ngx.status == 404 then
        locks:set(name, "failed", GRACE)
    else
        locks:delete(name)
    end
end

return M
