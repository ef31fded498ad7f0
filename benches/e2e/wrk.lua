-- Requests of a mix, drawn with a fixed seed from PATHS (one a word); the result as one line of JSON.
local paths, requests = {}, {}
for path in string.gmatch(os.getenv("PATHS"), "%S+") do
    paths[#paths + 1] = path
end

function init()
    math.randomseed(1)
    for at, path in ipairs(paths) do
        requests[at] = wrk.format("GET", path)
    end
end

function request()
    return requests[math.random(#requests)]
end

function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        'JSON {"requests":%d,"microseconds":%d,"bytes":%d,"errors":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration, summary.bytes, failed, latency:percentile(50), latency:percentile(99)
    ))
end
