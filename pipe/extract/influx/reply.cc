// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/reply.h"

#include <array>
#include <ctime>

#include "protocol/influx/json_text.h"

namespace tidegate {
namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Request Entity Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Entity";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

std::string http_date(std::int64_t wall_micros) {
  const std::time_t seconds = wall_micros / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 24> rest{};
  std::strftime(rest.data(), rest.size(), " %Y %H:%M:%S GMT", &parts);
  const std::string day = std::to_string(parts.tm_mday);
  return std::string(kDays.at(static_cast<std::size_t>(parts.tm_wday))) + ", " + (day.size() < 2 ? "0" : "") +
         day + " " + kMonths.at(static_cast<std::size_t>(parts.tm_mon)) + rest.data();
}

// What a client wrote may come back in a message: no control character may reach a header.
std::string header_text(std::string_view text) {
  constexpr std::size_t kLongest = 1024;
  std::string out(text.substr(0, kLongest));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return out;
}

void add_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

HttpReply make_reply(influx::Api api, influx::HttpAnswer answer) {
  HttpReply out;
  out.status = answer.status;
  out.body = std::move(answer.body);
  if (answer.retry_after) out.headers.emplace_back("Retry-After", std::to_string(*answer.retry_after));
  const bool v1 = api == influx::Api::kV1;
  if (out.status == 401)
    out.headers.emplace_back("WWW-Authenticate",
                             v1 ? "Basic realm=\"InfluxDB\"" : "Token realm=\"InfluxDB\"");
  if (out.status < 400 || out.status == 401) return out;
  if (const auto json = influx::parse_json(out.body)) {
    if (v1)
      out.headers.emplace_back("X-Influxdb-Error", header_text(json->string("error")));
    else
      out.headers.emplace_back("X-Platform-Error-Code", header_text(json->string("code")));
  }
  return out;
}

HttpReply error_reply(influx::Api api, int status, std::string_view message) {
  return make_reply(
      api, api == influx::Api::kV1 ? influx::v1::error(status, message) : influx::v2::error(status, message));
}

HttpReply unavailable_reply(influx::Api api, std::string_view why, std::uint32_t retry_after_seconds) {
  return make_reply(api, api == influx::Api::kV1 ? influx::v1::unavailable(why, retry_after_seconds)
                                                 : influx::v2::unavailable(why, retry_after_seconds));
}

HttpReply too_large_reply(influx::Api api) {
  return make_reply(api, api == influx::Api::kV1 ? influx::v1::too_large() : influx::v2::too_large());
}

std::string render(const HttpReply& reply, const RenderOptions& options) {
  std::string out =
      "HTTP/1." + std::to_string(options.version % 10) + " " + std::to_string(reply.status) + " ";
  out.append(reason_phrase(reply.status)).append("\r\n");
  add_header(out, "Date", http_date(options.wall_micros));
  add_header(out, "X-Influxdb-Build", "Tidegate");
  add_header(out, "X-Influxdb-Version", options.server_version);
  const std::string id = header_text(options.request_id);
  add_header(out, "Request-Id", id);
  add_header(out, "X-Request-Id", id);
  for (const auto& [name, value] : reply.headers) add_header(out, name, value);
  if (reply.status != 204) {
    add_header(out, "Content-Type", reply.content_type);
    add_header(out, "Content-Length", std::to_string(reply.body.size()));
  }
  if (!options.keep_alive)
    add_header(out, "Connection", "close");
  else if (options.version == 10)
    add_header(out, "Connection", "keep-alive");
  out += "\r\n";
  if (!options.head && reply.status != 204) out += reply.body;
  return out;
}

}  // namespace tidegate
