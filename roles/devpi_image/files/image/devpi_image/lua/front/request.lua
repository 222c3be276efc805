-- SPDX-License-Identifier: GPL-3.0-or-later
-- Which requests are understood well enough to be answered without devpi. All others are devpi's.

local M = {}

local JSON = "application/vnd.pypi.simple.v1+json"
-- What pip, uv, poetry and pdm send, letter by letter; devpi answers each of these with JSON.
local WANTS_JSON = {
    [JSON] = true,
    [JSON .. ", application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"] = true,
    [JSON .. ", application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"] = true,
    [JSON .. ", application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"] = true,
}
local WANTS_HTML = { ["text/html"] = true, ["*/*"] = true }
-- As devpi has it: installers get their HTML without the forms for people.
local INSTALLER = [[^([^ ]* )*(distribute|setuptools|pip|pex|uv)/]]

local NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
local INDEX = "^/" .. NAME .. "/" .. NAME .. "/\\+"
local PAGE = INDEX .. "simple/(?:(" .. NAME .. ")/?)?$"
-- By its hash, or by where a mirror has it from that tells no hash.
local FILE = INDEX .. "(?:f/[0-9a-f]{3}/[0-9a-f]+|e/" .. NAME .. ")/[A-Za-z0-9][A-Za-z0-9._+!-]*?(\\.metadata)?$"

-- What devpi may have to fetch for it is all but the metadata.
local CONTENT = "^/[^/]+/[^/]+/\\+[ef]/.*(?<!\\.metadata)$"

-- Names of headers that may let devpi answer differently from what it tells anybody.
local CREDENTIALS = { "http_authorization", "http_x_devpi_auth", "http_cookie" }

-- The path, if devpi cannot but read the same in it as nginx does: nginx has decoded and straightened
-- the one and devpi reads the other. pip writes a plus sign as %2B, and nothing else may differ.
function M.path()
    -- Of what is no request at all, nginx has none.
    local asked = (ngx.var.request_uri or ""):match("^[^?]*"):gsub("%%2[Bb]", "+")
    return asked == ngx.var.uri and asked or nil
end

-- What matches in the path, if path and request are of that form and nobody in particular.
local function matched(pattern)
    local method, var = ngx.req.get_method(), ngx.var
    if method ~= "GET" and method ~= "HEAD" then
        return nil
    end
    for _, name in ipairs(CREDENTIALS) do
        if var[name] then
            return nil
        end
    end
    local path = M.path()
    -- A query is devpi's, be it empty.
    if not path or var.request_uri:find("?", 1, true) then
        return nil
    end
    return ngx.re.match(path, pattern, "jo")
end

-- Of a project's page or the list of projects: the Accept that stands for all that get the same
-- page, and the project. nil: not such a request.
function M.page()
    local match = matched(PAGE)
    if not match then
        return nil
    end
    local project = match[1] or nil
    local accept = ngx.var.http_accept
    if WANTS_JSON[accept] then
        return JSON, project
    end
    if (not accept or WANTS_HTML[accept]) and ngx.re.find(ngx.var.http_user_agent or "", INSTALLER, "jo") then
        return "text/html", project
    end
    return nil
end

-- What it is for: "file", or "metadata" for those that devpi takes out of a wheel, whatever Accept
-- says. nil: neither, or what devpi knows of a file.
function M.file()
    local match = matched(FILE)
    if match and match[1] then
        return "metadata"
    end
    if match and not (ngx.var.http_accept or ""):find("json", 1, true) then
        return "file"
    end
    return nil
end

-- Whether a file is wanted, by whomever, and not what devpi knows of it.
function M.is_download()
    return ngx.req.get_method() == "GET"
        and ngx.re.find(ngx.var.uri, CONTENT, "jo") ~= nil
        and not (ngx.var.http_accept or ""):find("json", 1, true)
end

return M
