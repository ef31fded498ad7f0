-- Asks for each of ITEMS numbers in turn, over and over; KIND is their first digit.
local items, kind = tonumber(os.getenv("ITEMS")), os.getenv("KIND")
local at = 0

function request()
    local path = string.format("/item/%s%05d", kind, at % items)
    at = at + 1
    return wrk.format("GET", path)
end
