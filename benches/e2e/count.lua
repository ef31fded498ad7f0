-- Asks for each of ITEMS numbers in turn, over and over.
local items, digits = tonumber(os.getenv("ITEMS")), tonumber(os.getenv("DIGITS"))
local at = 0

function request()
    local path = string.format("/item/%0" .. digits .. "d", at % items)
    at = at + 1
    return wrk.format("GET", path)
end
