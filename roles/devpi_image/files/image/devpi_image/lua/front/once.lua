-- SPDX-License-Identifier: GPL-3.0-or-later
-- One of those who ask for the same thing at the same time does the work, and the others wait.
--
-- nginx' own lock of a cache looks twice a second; this one after a few milliseconds, and then at
-- pauses that grow: hundreds that looked all the time would take it from who does the work.

local locks = ngx.shared.front_locks

local M = {}

local FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.005, 0.03, 1.3
-- Seconds that others wait before each asks for itself, which is also how long a lock holds that
-- nobody gave back, since its worker died.
local PATIENCE = 30

-- What `known()` gives, if need be after `work()` has been done once for all; nil for none.
function M.done(name, known, work)
    local deadline, pause = ngx.now() + PATIENCE, FIRST_PAUSE
    repeat
        local found = known()
        if found then
            return found
        end
        if locks:add(name, true, PATIENCE) then
            local ok, result = pcall(work)
            locks:delete(name)
            if not ok then
                ngx.log(ngx.ERR, result)
                return nil
            end
            return result
        end
        ngx.sleep(pause)
        pause = math.min(pause * GROWTH, LONGEST_PAUSE)
    until ngx.now() > deadline
    return nil
end

return M
