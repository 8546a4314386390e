// SPDX-License-Identifier: Apache-2.0
// The control language of the emulator, one line a command. Described in doc/gatekeeper_emulator.md.
#include <fmt/core.h>

#include <charconv>
#include <sstream>

#include "base/yaml.h"
#include "hw/emulator_loop.h"

namespace tidegate {
namespace {

using Words = std::vector<std::string>;

struct Command {
  std::string_view name;
  std::string_view usage;
  std::size_t least;  // words after the name
  std::size_t most;
  Result<std::string> (*run)(EmulatorLoop& loop, const Words& words);
};

Result<double> probability(const std::string& text) {
  double value = -1;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || last != end || !(value >= 0 && value <= 1)) {
    return make_error(ErrorCode::kInvalidArgument, "'" + text + "' must be a number from 0 to 1");
  }
  return value;
}

Result<std::uint8_t> byte_value(const std::string& text, const Profile& profile) {
  if (text == "ok") return profile.answer_ok;
  if (text == "fail") return profile.answer_fail;
  std::uint8_t value = 0;
  const char* end = text.data() + text.size();
  if (!text.starts_with("0x") || text.size() != 4 ||
      std::from_chars(text.data() + 2, end, value, 16).ptr != end) {
    return make_error(ErrorCode::kInvalidArgument, "'" + text + "' must be ok, fail or a byte like 0x00");
  }
  return value;
}

Result<std::string> run_block(EmulatorLoop& loop, const Words& words) {
  Device& device = loop.device();
  Nanos until = kNever;
  if (!words.empty()) {
    double seconds = -1;
    const char* end = words[0].data() + words[0].size();
    const auto [last, error] = std::from_chars(words[0].data(), end, seconds);
    if (error != std::errc() || last != end || !(seconds >= 0 && seconds <= 1e6)) {
      return make_error(ErrorCode::kInvalidArgument, "'" + words[0] + "' must be a number of seconds");
    }
    until = device.now + static_cast<Nanos>(seconds * kSecond);
  }
  device.blocked_until = until;
  return std::string("ok");
}

Result<std::string> run_rate(EmulatorLoop& loop, const Words& words) {
  std::uint64_t rate = 0;
  if (words[0] != "unlimited") {
    TG_TRY(rate, parse_rate(words[0]));
    if (rate == 0) return make_error(ErrorCode::kInvalidArgument, "a rate of 0 passes nothing; use block");
  }
  loop.device().options.profile.rate = rate;
  loop.device().link.set_rate(rate);
  return std::string("ok");
}

Result<std::string> run_delay(EmulatorLoop& loop, const Words& words) {
  TG_TRY(const Nanos forward, parse_duration(words[0]));
  Nanos reverse = forward;
  if (words.size() == 2) {
    TG_TRY(reverse, parse_duration(words[1]));
  }
  loop.device().options.profile.delay_forward = forward;
  loop.device().options.profile.delay_reverse = reverse;
  return std::string("ok");
}

Result<std::string> run_polarity(EmulatorLoop& loop, const Words& words) {
  bool& invert = loop.device().faults().invert;
  if (words.empty()) {
    invert = !invert;
  } else if (words[0] == "normal" || words[0] == "invert") {
    invert = words[0] == "invert";
  } else {
    return make_error(ErrorCode::kInvalidArgument, "'" + words[0] + "' must be normal or invert");
  }
  return std::string(invert ? "ok: inverted" : "ok: normal");
}

Result<std::string> run_self_answer(EmulatorLoop& loop, const Words& words) {
  Device& device = loop.device();
  if (words[0] == "off") {
    device.faults().self_answer.reset();
    return std::string("ok");
  }
  TG_TRY(const std::uint8_t value, byte_value(words[0], device.profile()));
  device.faults().self_answer = value;
  return std::string("ok");
}

template <double GatekeeperFaults::* kMember>
Result<std::string> run_probability(EmulatorLoop& loop, const Words& words) {
  TG_TRY(loop.device().faults().*kMember, probability(words[0]));
  return std::string("ok");
}

Result<std::string> run_stray(EmulatorLoop& loop, const Words& words) {
  TG_TRY(const std::uint8_t value, byte_value(words[0], loop.device().profile()));
  return fmt::format("ok: {} connections", loop.make_up_answers(value));
}

Result<std::string> run_delay_answers(EmulatorLoop& loop, const Words& words) {
  TG_TRY(loop.device().faults().delay_answers, parse_duration(words[0]));
  return std::string("ok");
}

Result<std::string> run_stats(EmulatorLoop& loop, const Words& words) {
  if (words.empty()) return loop.device().stats.to_text();
  if (words[0] == "json") return loop.device().stats.to_json();
  return make_error(ErrorCode::kInvalidArgument, "'" + words[0] + "' must be json or nothing");
}

Result<std::string> run_help(EmulatorLoop& loop, const Words& words);

constexpr Command kCommands[] = {
    {"cut", "cut: reset all connections", 0, 0,
     [](EmulatorLoop& loop, const Words&) -> Result<std::string> {
       return fmt::format("ok: {} connections", loop.cut_all());
     }},
    {"cut-mid-frame", "cut-mid-frame: cut the next frame that begins in its middle", 0, 0,
     [](EmulatorLoop& loop, const Words&) -> Result<std::string> {
       loop.device().cut_mid_frame = true;
       return std::string("ok");
     }},
    {"block", "block [SECONDS]: let nothing pass for so long, or until pass", 0, 1, run_block},
    {"pass", "pass: end a block", 0, 0,
     [](EmulatorLoop& loop, const Words&) -> Result<std::string> {
       loop.device().blocked_until = 0;
       return std::string("ok");
     }},
    {"rate", "rate RATE|unlimited: e.g. 94Mbit/s", 1, 1, run_rate},
    {"delay", "delay BOTH | FORWARD REVERSE: e.g. 20ms", 1, 2, run_delay},
    {"polarity", "polarity [normal|invert]: of answers; without a word: the other one", 0, 1, run_polarity},
    {"self-answer", "self-answer ok|fail|0xNN|off: the device answers frames itself", 1, 1, run_self_answer},
    {"lose-answers", "lose-answers P: probability per answer", 1, 1,
     run_probability<&GatekeeperFaults::lose_answers>},
    {"duplicate-answers", "duplicate-answers P: probability per answer", 1, 1,
     run_probability<&GatekeeperFaults::duplicate_answers>},
    {"stray-answers", "stray-answers P: probability per frame", 1, 1,
     run_probability<&GatekeeperFaults::stray>},
    {"stray", "stray ok|fail|0xNN: one byte to each connection now", 1, 1, run_stray},
    {"delay-answers", "delay-answers TIME: added to the reverse delay", 1, 1, run_delay_answers},
    {"stats", "stats [json]: counters and violations", 0, 1, run_stats},
    {"help", "help: this list", 0, 0, run_help},
    {"quit", "quit: cut everything and end", 0, 0,
     [](EmulatorLoop& loop, const Words&) -> Result<std::string> {
       loop.stop();
       return std::string("ok");
     }},
};

Result<std::string> run_help(EmulatorLoop&, const Words&) {
  std::string out;
  for (const Command& command : kCommands) out += std::string(command.usage) + '\n';
  out.pop_back();
  return out;
}

Words split(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace

std::string run_command(EmulatorLoop& loop, const std::string& line) {
  Words words = split(line);
  if (words.empty()) return "error: an empty line; help lists the commands";
  const std::string name = words.front();
  words.erase(words.begin());
  for (const Command& command : kCommands) {
    if (command.name != name) continue;
    if (words.size() < command.least || words.size() > command.most) {
      return "error: usage: " + std::string(command.usage);
    }
    Result<std::string> answer = command.run(loop, words);
    return answer.ok() ? std::move(answer).value() : "error: " + answer.error().text();
  }
  return "error: '" + name + "' is no command; help lists them";
}

}  // namespace tidegate
