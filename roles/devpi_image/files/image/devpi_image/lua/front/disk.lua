-- SPDX-License-Identifier: GPL-3.0-or-later
-- Files on the disk, devpi's above all, and the room that is left there.
--
-- What is brought from a mirror's upstream can be had again, an upload can't: where little room is
-- left, only the latter gets it, and the database.

local ffi = require "ffi"
local request = require "front.request"

-- As the C library has it where a long has 64 bits.
ffi.cdef [[
    struct front_statvfs {
        unsigned long f_bsize, f_frsize;
        unsigned long f_blocks, f_bfree, f_bavail;
        unsigned long f_files, f_ffree, f_favail;
        unsigned long f_fsid, f_flag, f_namemax;
        int f_spare[6];
    };
    int statvfs(const char *path, struct front_statvfs *found);
]]
local found = ffi.new("struct front_statvfs")

local M = {}

-- Whether there is a file.
function M.is_there(file)
    local opened = io.open(file, "rb")
    if opened then
        opened:close()
    end
    return opened ~= nil
end

-- Whether there is a file at this path of devpi.
function M.has(path)
    return M.is_there(ngx.var.front_files .. path)
end

-- Percent of the volume that is free for who is not root, as df counts it; nil if that is not known.
function M.free()
    local volume = ngx.var.front_volume
    if volume == "" or ffi.C.statvfs(volume, found) ~= 0 then
        return nil
    end
    local free = tonumber(found.f_bavail)
    local size = tonumber(found.f_blocks - found.f_bfree) + free
    return size > 0 and 100 * free / size or nil
end

-- Refuse what devpi would have to make room for.
function M.keep_room()
    local least = tonumber(ngx.var.front_min_free)
    if least > 0 and request.is_download() and (M.free() or 100) < least and not M.has(ngx.var.uri) then
        return ngx.exit(507)
    end
end

return M
