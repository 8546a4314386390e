// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/dead_letters.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "pipe/engine/json_text.h"

namespace tidegate {
namespace {

constexpr std::string_view kSuffix = ".jsonl";

// 2026-01-31T10:15:30.123456Z
std::string utc_text(std::int64_t wall_micros) {
  const std::int64_t second =
      wall_micros >= 0 ? wall_micros / 1'000'000 : (wall_micros - 999'999) / 1'000'000;
  const std::time_t time = second;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof(text) - size, ".%06dZ",
                static_cast<int>(wall_micros - second * 1'000'000));
  return text;
}

std::string safe_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      out += "%" + to_hex({&byte, 1});
    }
  }
  return out;
}

std::string to_lines(const std::vector<DeadLetter>& letters, const std::string& pipe,
                     std::int64_t wall_micros) {
  const std::string time = utc_text(wall_micros);
  std::string out;
  for (const DeadLetter& letter : letters) {
    JsonObject object(out);
    object.text("time", time);
    object.number("lsn", letter.lsn);
    object.bytes("pipe", pipe);
    object.bytes("reason", letter.reason);
    if (!letter.database.empty()) object.bytes("database", letter.database);
    if (!letter.policy.empty()) object.bytes("retention_policy", letter.policy);
    if (!letter.precision.empty()) object.text("precision", letter.precision);
    object.bytes("line", letter.line);
    object.end();
    out += '\n';
  }
  return out;
}

}  // namespace

DeadLetters::DeadLetters(Env env, Options options)
    : env_(env), options_(std::move(options)), stem_(safe_name(options_.pipe) + ".dead-") {}

std::string DeadLetters::file_name(std::uint32_t number) const {
  std::string digits = std::to_string(number);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return stem_ + digits + std::string(kSuffix);
}

std::string DeadLetters::path(std::uint32_t number) const {
  return options_.directory + "/" + file_name(number);
}

std::optional<std::uint32_t> DeadLetters::number_of(const std::string& name) const {
  if (!name.starts_with(stem_) || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint32_t number = 0;
  const char* end = name.data() + name.size() - kSuffix.size();
  const auto [stop, error] = std::from_chars(name.data() + stem_.size(), end, number);
  if (error != std::errc() || stop != end || file_name(number) != name) return std::nullopt;
  return number;
}

Result<std::uint32_t> DeadLetters::highest_number() {
  TG_TRY(const std::vector<std::string> names, env_.files->list(options_.directory));
  std::uint32_t highest = 0;
  for (const std::string& name : names) highest = std::max(highest, number_of(name).value_or(0));
  return highest;
}

Status DeadLetters::open(const std::optional<Mark>& mark) {
  file_.reset();
  TG_CHECK(env_.files->make_dirs(options_.directory));
  if (mark.has_value()) return cut(*mark);
  TG_TRY(const std::uint32_t highest, highest_number());
  // A number of its own: what lies there belongs to a life of the pipe that this one knows nothing of.
  mark_ = {highest, kClosed};
  return {};
}

Status DeadLetters::cut(const Mark& mark) {
  mark_ = mark;
  TG_TRY(const std::uint32_t highest, highest_number());
  for (std::uint32_t number = highest; number > mark.number; --number) {
    if (env_.files->exists(path(number))) TG_CHECK(env_.files->remove(path(number)));
  }
  if (highest > mark.number) TG_CHECK(env_.files->sync_dir(options_.directory));
  if (mark.number == 0) return {};
  auto file = env_.files->open(path(mark.number), OpenMode::kReadWrite);
  if (!file.ok() && file.error().code == ErrorCode::kNotFound) {
    mark_.length = kClosed;  // an operator took the file away: go on in the next one
    return {};
  }
  if (!file.ok()) return std::move(file).error();
  TG_TRY(const std::uint64_t size, (*file)->size());
  if (size < mark.length) {
    mark_.length = kClosed;  // shortened from outside: leave it as it is
    return {};
  }
  if (size > mark.length) {
    TG_CHECK((*file)->truncate(mark.length));
    TG_CHECK((*file)->sync());
  }
  return {};
}

Status DeadLetters::append(const std::vector<DeadLetter>& letters) {
  if (letters.empty()) return {};
  const std::string lines = to_lines(letters, options_.pipe, env_.clock->wall_micros());
  if (mark_.number == 0 || mark_.length >= options_.rotate_bytes) {
    mark_ = {mark_.number + 1, 0};
    file_.reset();
  }
  // After a failure everything since the last good sync is cut and written again through a new handle:
  // nothing that the failed sync may have dropped is relied on.
  Status written = write(as_bytes(lines));
  if (!written.ok()) {
    file_.reset();
    return written;
  }
  mark_.length += lines.size();
  return {};
}

Status DeadLetters::open_current() {
  if (file_ != nullptr) return {};
  const bool created = !env_.files->exists(path(mark_.number));
  TG_TRY(file_, env_.files->open(path(mark_.number), OpenMode::kOpenOrCreate));
  TG_TRY(const std::uint64_t size, file_->size());
  if (size != mark_.length) TG_CHECK(file_->truncate(mark_.length));
  if (created || mark_.length == 0) TG_CHECK(env_.files->sync_dir(options_.directory));
  return {};
}

Status DeadLetters::write(ByteView text) {
  TG_CHECK(open_current());
  TG_CHECK(file_->write_at(mark_.length, text));
  return file_->sync();
}

}  // namespace tidegate
