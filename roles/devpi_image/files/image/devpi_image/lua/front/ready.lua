-- SPDX-License-Identifier: GPL-3.0-or-later
-- Whether this front may be sent clients: from devpi's first answer on.
--
-- What happens to devpi later is shown to clients as 503, and does not take the pod out of its
-- Service. Who asks with ?wait=2 is told as soon as it is so, and not when it would ask again: that
-- is a part of the time in which nobody is served when a pod is replaced.

local disk = require "front.disk"

-- Seconds.
local LONGEST_WAIT = 10
local PAUSE = 0.05

local M = {}

function M.answer()
    local served = ngx.var.front_served
    local wait = math.min(tonumber(ngx.var.arg_wait) or 0, LONGEST_WAIT)
    local deadline = ngx.now() + wait
    while not disk.is_there(served) do
        if ngx.now() >= deadline or ngx.worker.exiting() then
            ngx.status = 503
            return ngx.say("devpi has not answered yet")
        end
        ngx.sleep(PAUSE)
    end
    ngx.say("ready")
end

return M
