-- SPDX-License-Identifier: GPL-3.0-or-later
-- What the front has done since nginx started, in the text format of Prometheus.

local disk = require "front.disk"

local counters = ngx.shared.front_metrics

local M = {}

-- Seconds; the last bucket takes what is slower.
local BUCKETS = { 0.005, 0.02, 0.1, 0.5, 2, 10, math.huge }

local function count(name, by)
    counters:incr(name, by or 1, 0)
end

local function observe(name, seconds)
    for _, bucket in ipairs(BUCKETS) do
        if seconds <= bucket then
            count(name .. '_bucket{le="' .. (bucket == math.huge and "+Inf" or bucket) .. '"}')
        end
    end
    count(name .. "_sum", seconds)
    count(name .. "_count")
end

-- Where an answer came from: `hit`, `stale` and the like from the cache, `disk`, `devpi`, or `front`.
local function source()
    local status = ngx.var.upstream_cache_status
    if status then
        return status:lower()
    end
    if ngx.var.front_type ~= "" then
        return "disk"
    end
    return ngx.var.upstream_addr and "devpi" or "front"
end

-- At the end of a request of a client.
function M.on_end()
    local from = source()
    count('devpi_front_answers_total{source="' .. from .. '"}')
    local seconds = from == "devpi" and tonumber(ngx.var.upstream_header_time)
    if seconds then
        observe("devpi_front_devpi_seconds", seconds)
    end
end

-- At the end of a request of the cache.
function M.on_render()
    count("devpi_front_renders_total")
    observe("devpi_front_render_seconds", tonumber(ngx.var.request_time))
end

function M.on_write()
    count("devpi_front_writes_total")
end

local TYPES = {
    devpi_front_answers_total = "counter",
    devpi_front_renders_total = "counter",
    devpi_front_writes_total = "counter",
    devpi_front_devpi_seconds = "histogram",
    devpi_front_render_seconds = "histogram",
    devpi_front_volume_free_percent = "gauge",
}

function M.show()
    local free = disk.free()
    if free then
        counters:set("devpi_front_volume_free_percent", free)
    end
    local names = counters:get_keys(0)
    table.sort(names)
    ngx.header["Content-Type"] = "text/plain; version=0.0.4"
    for family, kind in pairs(TYPES) do
        ngx.say("# TYPE ", family, " ", kind)
        for _, name in ipairs(names) do
            if name:sub(1, #family) == family then
                ngx.say(name, " ", counters:get(name))
            end
        end
    end
end

return M
