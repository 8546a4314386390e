// SPDX-License-Identifier: Apache-2.0
// tidegate-gatekeeper: the emulated isolation device as a program. doc/gatekeeper_emulator.md has every
// option. Exit codes: base/exit_code.h.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <iostream>

#include "base/exit_code.h"
#include "base/real_env.h"
#include "base/version.h"
#include "base/yaml.h"
#include "base/yaml_net.h"
#include "hw/emulator.h"
#include "hw/gatekeeper_control.h"

namespace tidegate {
namespace {

// What stands on the command line, before it is understood. Empty: the profile decides.
struct Flags {
  std::string profile = "syskeeper-2000";
  std::string listen = "127.0.0.1:0";
  std::string receiver;
  std::string rate, delay, delay_forward, delay_reverse, idle_timeout, reconnect_min_interval;
  std::string frame_limit;
  std::optional<std::uint32_t> window, lanes_max;
  std::string on_violation = "count";
  std::string polarity = "normal";
  std::string self_answer;
  std::string buffer = "0";
  std::string delay_answers = "0";
  std::string stats_interval = "0";
  bool strict = false;
  GatekeeperFaults faults;
  std::string capture;
  GatekeeperControlOptions control;
};

void declare_rules(CLI::App& app, Flags& f) {
  app.add_option("--profile", f.profile, "name of a built-in profile, or path of a YAML file")
      ->capture_default_str();
  app.add_option("--listen", f.listen, "inner side, host:port; port 0: any, it is printed")
      ->capture_default_str();
  app.add_option("--receiver", f.receiver, "outer side, host:port");
  app.add_option("--rate", f.rate, "forward rate of all connections, e.g. 94Mbit/s, or unlimited");
  app.add_option("--delay", f.delay, "one-way delay of both directions, e.g. 20ms");
  app.add_option("--delay-forward", f.delay_forward, "one-way delay towards the receiver");
  app.add_option("--delay-reverse", f.delay_reverse, "one-way delay towards the sender");
  app.add_option("--frame-limit", f.frame_limit, "largest frame in bytes on the wire, e.g. 1MB; 0: no limit");
  app.add_option("--window", f.window, "frames without an answer on one connection; 0: no limit");
  app.add_option("--lanes", f.lanes_max, "connections at the same time; 0: no limit");
  app.add_option("--idle-timeout", f.idle_timeout, "silent connections are cut; 0: never");
  app.add_option("--reconnect-min-interval", f.reconnect_min_interval, "0: no rule");
  app.add_option("--on-violation", f.on_violation, "count or cut")
      ->check(CLI::IsMember({"count", "cut"}))
      ->capture_default_str();
}

void declare_faults(CLI::App& app, Flags& f) {
  app.add_option("--polarity", f.polarity, "normal or invert")->check(CLI::IsMember({"normal", "invert"}));
  app.add_option("--self-answer", f.self_answer, "the device answers frames itself: ok or fail")
      ->check(CLI::IsMember({"ok", "fail"}));
  app.add_option("--buffer", f.buffer, "bytes of a terminating proxy that hides a receiver that is down");
  app.add_flag("--pool", f.faults.pool, "keep outer connections for later inner ones");
  app.add_option("--lose-answers", f.faults.lose_answers, "probability per answer");
  app.add_option("--duplicate-answers", f.faults.duplicate_answers, "probability per answer");
  app.add_option("--stray", f.faults.stray, "probability per frame of a made-up answer");
  app.add_option("--delay-answers", f.delay_answers, "added to the reverse delay");
  app.add_option("--seed", f.faults.seed, "of the dice")->capture_default_str();
}

void declare_service(CLI::App& app, Flags& f) {
  app.add_option("--capture", f.capture, "interface towards the receiver; needs CAP_NET_RAW");
  app.add_option("--control", f.control.socket_path, "path of a Unix socket for commands");
  app.add_flag("--stdin", f.control.use_stdin, "read commands from standard input");
  app.add_option("--stats-file", f.control.stats_file, "counters as JSON, at the end");
  app.add_option("--stats-interval", f.stats_interval, "write the stats file also so often");
  app.add_flag("--strict", f.strict, "exit code 4 when there was a violation");
  app.add_flag_callback(
      "--list-profiles",
      [] {
        for (const std::string& name : builtin_profile_names()) std::cout << name << '\n';
        throw CLI::Success();
      },
      "print the names of the built-in profiles and end");
  app.add_option_function<std::string>(
         "--print-profile",
         [](const std::string& name) {
           const Result<Profile> profile = builtin_profile(name);
           if (!profile.ok()) throw CLI::ValidationError("--print-profile", profile.error().text());
           std::cout << builtin_profile_text(name);
           throw CLI::Success();
         },
         "print a built-in profile as YAML and end; a start for a file of one's own")
      ->type_name("NAME");
  app.set_version_flag("--version", std::string(kVersion), "print the version and end");
  app.footer(
      "Exit codes: 0 ended as asked, 1 cannot start or write its counters, 2 an option is refused, "
      "4 violations were seen (--strict).");
}

template <class T, class Parse>
Status override_with(const std::string& text, const char* flag, Parse parse, T* out) {
  if (text.empty()) return {};
  auto value = parse(text);
  if (!value.ok()) {
    Error error = std::move(value).error();
    error.detail = std::string(flag) + ": " + error.detail;
    return error;
  }
  *out = static_cast<T>(*value);
  return {};
}

Status apply_rules(const Flags& f, Profile& profile) {
  if (f.rate == "unlimited") {
    profile.rate = 0;
  } else {
    TG_CHECK(override_with(f.rate, "--rate", parse_rate, &profile.rate));
    if (!f.rate.empty() && profile.rate == 0) {
      return make_error(ErrorCode::kInvalidArgument, "--rate: a rate of 0 passes nothing; write unlimited");
    }
  }
  TG_CHECK(override_with(f.delay, "--delay", parse_duration, &profile.delay_forward));
  TG_CHECK(override_with(f.delay, "--delay", parse_duration, &profile.delay_reverse));
  TG_CHECK(override_with(f.delay_forward, "--delay-forward", parse_duration, &profile.delay_forward));
  TG_CHECK(override_with(f.delay_reverse, "--delay-reverse", parse_duration, &profile.delay_reverse));
  TG_CHECK(override_with(f.frame_limit, "--frame-limit", parse_byte_size, &profile.frame_limit));
  TG_CHECK(override_with(f.idle_timeout, "--idle-timeout", parse_duration, &profile.idle_timeout));
  TG_CHECK(override_with(f.reconnect_min_interval, "--reconnect-min-interval", parse_duration,
                         &profile.reconnect_min_interval));
  if (f.window) profile.window = *f.window;
  if (f.lanes_max) profile.lanes_max = *f.lanes_max;
  return {};
}

Result<GatekeeperOptions> understand(Flags& f) {
  GatekeeperOptions out;
  if (f.receiver.empty()) return make_error(ErrorCode::kInvalidArgument, "--receiver host:port is required");
  TG_TRY(out.profile, load_profile(*real_env().files, f.profile));
  TG_TRY(out.inner, parse_endpoint(f.listen));
  TG_TRY(out.outer, parse_endpoint(f.receiver));
  TG_CHECK(apply_rules(f, out.profile));
  TG_CHECK(override_with(f.buffer, "--buffer", parse_byte_size, &f.faults.buffer));
  TG_CHECK(override_with(f.delay_answers, "--delay-answers", parse_duration, &f.faults.delay_answers));
  TG_CHECK(override_with(f.stats_interval, "--stats-interval", parse_duration, &f.control.stats_interval));
  f.faults.invert = f.polarity == "invert";
  if (f.self_answer == "ok") f.faults.self_answer = out.profile.answer_ok;
  if (f.self_answer == "fail") f.faults.self_answer = out.profile.answer_fail;
  out.faults = f.faults;
  out.on_violation = f.on_violation == "cut" ? OnViolation::kCut : OnViolation::kCount;
  out.capture_interface = f.capture;
  out.violation_seen = [](const Violation& violation) { std::cerr << violation.text() + '\n' << std::flush; };
  return out;
}

Result<int> run(const Flags& flags, GatekeeperOptions options) {
  const Endpoint inner = options.inner;
  const std::string receiver = options.outer.text();
  const std::string profile = options.profile.name;
  TG_TRY(const std::unique_ptr<ControlServer> control, ControlServer::open(flags.control));
  TG_TRY(const std::unique_ptr<Emulator> emulator, Emulator::open(std::move(options)));
  std::cout << "listening on " << Endpoint{inner.host, emulator->port()}.text() << ", receiver " << receiver
            << ", profile " << profile << std::endl;
  TG_CHECK(control->serve(*emulator, *real_env().files));
  const std::uint64_t violations = emulator->stats().violations_total();
  std::cerr << violations << " violations\n";
  return flags.strict && violations > 0 ? kExitViolated : kExitOk;
}

}  // namespace
}  // namespace tidegate

int main(int argc, char** argv) {
  CLI::App app("An isolation device between real sockets: passes frames forward and single bytes back.");
  tidegate::Flags flags;
  tidegate::declare_rules(app, flags);
  tidegate::declare_faults(app, flags);
  tidegate::declare_service(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? tidegate::kExitOk : tidegate::kExitUsage;
  }
  const auto fail = [](const tidegate::Error& error, int code) {
    std::cerr << "tidegate-gatekeeper: " << error.text() << '\n';
    return code;
  };
  auto options = tidegate::understand(flags);
  if (!options.ok()) return fail(options.error(), tidegate::kExitUsage);
  const tidegate::Result<int> code = tidegate::run(flags, std::move(options).value());
  return code.ok() ? *code : fail(code.error(), tidegate::kExitNo);
}
