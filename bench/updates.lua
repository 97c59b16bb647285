-- wrk: what Telegram delivers, one update after another, of many groups; none needs an answer. Each thread has
-- numbers and chats of its own. THEO_SECRET comes from script/bench.
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end
local words = {"We shipped the sensors this morning.", "Thanks, the trucks are back in Valencia.",
  "The contract is with our lawyers now.", "Good news from the pilot in Hamburg.", "Margins look fine to me."}
local id, headers = 0, {["Content-Type"] = "application/json", ["X-Telegram-Bot-Api-Secret-Token"] = os.getenv("THEO_SECRET")}
function request()
  id = id + 1
  local chat = (id % 50) + 1 + number * 50
  return wrk.format("POST", "/telegram/webhook", headers, string.format(
    '{"update_id":%d,"message":{"message_id":%d,"from":{"id":%d,"is_bot":false,"first_name":"Ana","last_name":"Ruiz","username":"ana_ruiz","language_code":"es"},"chat":{"id":-1001%09d,"title":"Acme and Globex","type":"supergroup"},"date":%d,"text":"%s"}}',
    number * 100000000 + id, id, 42 + id % 7, chat, os.time(), words[id % #words + 1]))
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\nJSON {"requests":%d,"us":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
