-- wrk: one chat turn after another. THEO_KEY and THEO_BODY come from script/bench.
local body = io.open(os.getenv("THEO_BODY"), "rb"):read("*a")
wrk.method = "POST"
wrk.body = body
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("THEO_KEY")
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\nJSON {"requests":%d,"us":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
