// SPDX-License-Identifier: Apache-2.0
// Any method, target and headers: decide() ends, refuses in a form that can be sent, and lets nobody in
// without a secret. Any bytes as a gzip body: BodyReader keeps to its limits.
#include <algorithm>
#include <cstdlib>

#include "pipe/extract/influx/body_reader.h"
#include "pipe/extract/influx/decision.h"

using namespace tidegate;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string_view take_line(std::string_view& input) {
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view line = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return line;
}

std::optional<std::string_view> take_header(std::string_view& input) {
  const std::string_view line = take_line(input);
  if (line.empty()) return std::nullopt;
  return line;
}

// One head, no header added by what was reflected.
void check_reply(const HttpReply& reply) {
  const std::string bytes = render(reply, {.server_version = "1"});
  const std::size_t end = bytes.find("\r\n\r\n");
  require(end != std::string::npos && (reply.status == 204 || bytes.substr(end + 4) == reply.body));
  const auto lines = std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(end), '\n');
  require(static_cast<std::size_t>(lines) <= 5 + reply.headers.size());
}

void check_gzip(std::string_view bytes) {
  constexpr std::uint64_t kLimit = 4096;
  MemoryBudget budget(kLimit);
  {
    BodyReader reader(&budget, {kLimit, kLimit}, true);
    while (!bytes.empty()) {
      const std::size_t piece = std::min<std::size_t>(bytes.size(), 7);
      if (!reader.add(bytes.substr(0, piece)).ok()) break;
      bytes.remove_prefix(piece);
    }
    require(reader.text().size() <= kLimit);
  }
  require(budget.used() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const InfluxHttpOptions kClosed = [] {
    InfluxHttpOptions out;
    out.tokens = {Secret("0123456789abcdef0123456789abcdef")};
    out.users = {{"agent", Secret("fedcba9876543210fedcba9876543210")}};
    return out;
  }();
  static const InfluxHttpOptions kOpen;
  static const Credentials kClosedCredentials(kClosed), kOpenCredentials(kOpen);
  std::string_view input(reinterpret_cast<const char*>(data), size);
  RequestHead head;
  head.method = take_line(input);
  head.target = take_line(input);
  head.authorization = take_header(input);
  head.content_encoding = take_header(input);
  head.idempotency_key = take_header(input);
  head.expect = take_header(input);
  for (const bool closed : {false, true}) {
    const Decision decision =
        closed ? decide(kClosed, kClosedCredentials, head) : decide(kOpen, kOpenCredentials, head);
    if (const auto* reply = std::get_if<HttpReply>(&decision)) check_reply(*reply);
    const auto* request = std::get_if<WriteRequest>(&decision);
    if (request == nullptr) continue;
    require(!request->database.empty() && request->idempotency_key.size() <= 255);
    // The secrets are longer than what a fuzzer guesses.
    if (closed)
      require(head.target.find("0123456789abcdef") != head.target.npos || head.authorization.has_value());
  }
  check_gzip(input);
  return 0;
}
