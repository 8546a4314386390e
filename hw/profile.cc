// SPDX-License-Identifier: Apache-2.0
#include "hw/profile.h"

#include <charconv>

#include "base/yaml.h"

namespace tidegate {
namespace {

// Reads the figures of one file: each a map of a value and its source.
class Reader {
 public:
  Reader(YamlMap root, Profile& profile) : root_(std::move(root)), profile_(profile) {}

  std::uint8_t answer(std::string_view key) {
    YamlMap figure = open(key);
    const std::string text = figure.string("value");
    std::uint8_t value = 0;
    const char* end = text.data() + text.size();
    const bool prefixed = text.size() == 4 && text.starts_with("0x");
    if (!prefixed || std::from_chars(text.data() + 2, end, value, 16).ptr != end) {
      if (figure.has("value")) figure.violates("value", "'" + text + "' must be a byte like 0x00 or 0xFF");
    }
    return value;
  }
  AnswerSource answers_from() {
    return open("answers_from")
        .one_of<AnswerSource>("value",
                              {{"receiver", AnswerSource::kReceiver}, {"device", AnswerSource::kDevice}});
  }
  bool boolean(std::string_view key) { return open(key).boolean("value"); }
  std::uint64_t bytes(std::string_view key, BytesRange range) { return open(key).bytes("value", range); }
  std::uint32_t count(std::string_view key, IntRange range) {
    return static_cast<std::uint32_t>(open(key).integer("value", range));
  }
  Nanos duration(std::string_view key, NanosRange range = {}) { return open(key).duration("value", range); }
  std::uint64_t rate(std::string_view key, BytesRange range = {.min = 1}) {
    return open(key).rate("value", range);
  }
  std::uint64_t rate_or_unlimited(std::string_view key) {
    YamlMap figure = open(key);
    if (figure.string("value") == "unlimited") return 0;
    return figure.rate("value", {.min = 1});
  }

  YamlMap& root() { return root_; }

 private:
  YamlMap open(std::string_view key) {
    YamlMap figure = root_.map(key);
    const std::string source = figure.string("source");
    if (source.empty() && figure.has("source")) {
      figure.violates("source", "must name the origin of the figure, or say \"assumed\"");
    }
    profile_.sources.emplace(key, source);
    return figure;
  }

  YamlMap root_;
  Profile& profile_;
};

void read_answers(Reader& reader, Profile& out) {
  out.answer_ok = reader.answer("answer_ok");
  out.answer_fail = reader.answer("answer_fail");
  out.answers_from = reader.answers_from();
  out.only_answer_values = reader.boolean("only_answer_values");
  out.one_byte_per_segment = reader.boolean("one_byte_per_segment");
  if (out.answer_ok == out.answer_fail) reader.root().violates("answer_fail", "must differ from answer_ok");
}

void read_sizes(Reader& reader, Profile& out) {
  // Below 4 KiB the fixed parts of hello and ask frames do not fit; the length word has 32 bits.
  out.frame_limit = reader.bytes("frame_limit", {.min = 4096, .max = 1u << 30});
  out.e_language = reader.boolean("e_language");
  out.window = reader.count("window", {.min = 1, .max = 64});
  out.lanes_max = reader.count("lanes_max", {.min = 1, .max = 64});
  out.rate = reader.rate_or_unlimited("rate");
  out.lowest_rate = reader.rate("lowest_rate");
  out.delay_forward = reader.duration("delay_forward", {.max = 60 * kSecond});
  out.delay_reverse = reader.duration("delay_reverse", {.max = 60 * kSecond});
  if (out.rate != 0 && out.lowest_rate > out.rate)
    reader.root().violates("lowest_rate", "must not be above rate");
}

void read_times(Reader& reader, Profile& out) {
  constexpr Nanos kDay = 86'400 * kSecond;
  out.idle_timeout = reader.duration("idle_timeout", {.max = kDay});
  out.reconnect_min_interval = reader.duration("reconnect_min_interval", {.max = kDay});
  out.reconnect_quiet = reader.duration("reconnect_quiet", {.min = kMillisecond, .max = kDay});
  out.reconnect_quiet_max = reader.duration("reconnect_quiet_max", {.min = kMillisecond, .max = kDay});
  out.answer_timeout_base = reader.duration("answer_timeout_base", {.min = kMillisecond, .max = kDay});
  out.answer_timeout_max = reader.duration("answer_timeout_max", {.min = kMillisecond, .max = kDay});
  out.handshake_timeout = reader.duration("handshake_timeout", {.min = kMillisecond, .max = kDay});
  out.frame_stall = reader.duration("frame_stall", {.min = kMillisecond, .max = kDay});
  out.beat_interval = reader.duration("beat_interval", {.min = kMillisecond, .max = kDay});
}

// The order of timers that LINK asks for, as far as it lies within one profile.
void check_order(YamlMap& root, const Profile& p) {
  if (p.reconnect_quiet > p.reconnect_quiet_max)
    root.violates("reconnect_quiet", "must not be above reconnect_quiet_max");
  if (p.frame_stall >= p.handshake_timeout) root.violates("frame_stall", "must be below handshake_timeout");
  if (p.idle_timeout != 0 && p.beat_interval >= p.idle_timeout) {
    root.violates("beat_interval", "must be below idle_timeout, or the device cuts idle connections");
  }
  if (p.lowest_rate == 0) return;  // reported already
  if (p.answer_timeout() > p.answer_timeout_max) {
    root.violates("answer_timeout_base",
                  "plus frame_limit / lowest_rate must not be above answer_timeout_max");
  }
  const Nanos full_frames = static_cast<Nanos>(p.lanes_max * p.frame_limit * kSecond / p.lowest_rate);
  if (p.beat_interval + full_frames >= 3 * p.beat_interval) {
    root.violates("beat_interval", "must be above half the time of lanes_max full frames at lowest_rate");
  }
}

Error no_such_profile(const std::string& name) {
  std::string known;
  for (const std::string& each : builtin_profile_names()) known += (known.empty() ? "" : ", ") + each;
  return make_error(ErrorCode::kNotFound, "there is no profile '" + name + "'; known are " + known +
                                              ", or give the path of a file");
}

}  // namespace

Result<Profile> parse_profile(std::string_view text, const std::string& path) {
  TG_TRY(const std::unique_ptr<YamlFile> file, YamlFile::parse(text, path));
  Profile out;
  YamlMap root = file->root();
  out.name = root.string("name");
  out.description = root.string("description");
  Reader reader(root, out);
  read_answers(reader, out);
  read_sizes(reader, out);
  read_times(reader, out);
  check_order(root, out);
  TG_CHECK(file->finish());
  return out;
}

Result<Profile> builtin_profile(const std::string& name) {
  const std::string_view text = builtin_profile_text(name);
  if (text.empty()) return no_such_profile(name);
  return parse_profile(text, "profile " + name);
}

Result<Profile> load_profile(FileSystem& files, const std::string& name_or_path) {
  const bool is_path = name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".yaml");
  if (!is_path) return builtin_profile(name_or_path);
  TG_TRY(const Bytes text, read_file(files, name_or_path, YamlFile::kMaxFileBytes));
  return parse_profile(as_text(text), name_or_path);
}

}  // namespace tidegate
