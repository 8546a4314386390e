// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/tidegate_verbs.h"

#include <algorithm>
#include <charconv>

#include "base/yaml.h"
#include "pipe/control/audit_log.h"
#include "pipe/control/command_text.h"

namespace tidegate {
namespace {

// As the configurations of the units name them: each daemon has a folder of its own below /run/tidegate.
std::vector<std::string> usual_sockets(const std::string& run_dir, const std::string& role) {
  return {run_dir + "/" + role + "/control.sock", run_dir + "/" + role + ".sock"};
}

Result<std::vector<ControlTarget>> targets_of(const DaemonPlace& place, FileSystem& files,
                                              const std::vector<std::string>& roles) {
  if (!place.socket.empty()) return std::vector{ControlTarget{place.socket, {}}};
  if (!place.url.empty()) {
    TG_TRY(const ControlTarget target, parse_control_url(place.url));
    return std::vector{target};
  }
  std::vector<ControlTarget> out;
  for (const std::string& role : roles)
    for (const std::string& path : usual_sockets(place.run_dir, role))
      if (files.exists(path)) {
        out.push_back({path, {}});
        break;
      }
  if (!out.empty()) return out;
  std::string names;
  for (const std::string& role : roles)
    names += (names.empty() ? "" : ", ") + usual_sockets(place.run_dir, role)[0];
  return make_error(
      ErrorCode::kUnreachable,
      "no daemon is found on this machine (" + names +
          "). Is it running (`systemctl status "
          "tidegate-" +
          roles[0] + "`), and may you enter " + place.run_dir +
          " (sudo, or the group tidegate)? With another `control.socket` say --socket PATH, with "
          "`control.listen` --url http://HOST:PORT");
}

int fail(Console console, const Error& error, int code) {
  console.err << "tidegate: " << error.text() << "\n";
  return code;
}

int show_one(const ControlTarget& target, bool json, Console console) {
  const auto page = ask_control(target, {"GET", json ? "/status.json" : "/status", ""});
  if (!page.ok()) return fail(console, page.error(), kExitUnreachable);
  const auto health = ask_control(target, {"GET", "/health", ""});
  if (!health.ok()) return fail(console, health.error(), kExitUnreachable);
  if (page->status != 200) {
    console.err << "tidegate: " << target.text() << " answers " << page->status
                << ", which no daemon of Tidegate does: " << page->body.substr(0, 200) << "\n";
    return kExitUnreachable;
  }
  console.out << page->body;
  return health->status == 200 ? kExitOk : kExitNo;
}

}  // namespace

// ---- daemons

int show_status(FileSystem& files, const DaemonPlace& place, bool json, Console console) {
  const auto targets = targets_of(place, files, {"sender", "receiver"});
  if (!targets.ok()) return fail(console, targets.error(), kExitUnreachable);
  int worst = kExitOk;
  for (const ControlTarget& target : *targets) {
    if (&target != &targets->front() && !json) console.out << "\n";
    worst = std::max(worst, show_one(target, json, console));
  }
  return worst;
}

Result<ControlTarget> find_daemon(FileSystem& files, const DaemonPlace& place, const std::string& role) {
  const std::vector<std::string> roles =
      role.empty() ? std::vector<std::string>{"sender", "receiver"} : std::vector{role};
  TG_TRY(const std::vector<ControlTarget> found, targets_of(place, files, roles));
  if (found.size() == 1) return found.front();
  return make_error(
      ErrorCode::kInvalidArgument,
      "a sender and a receiver run on this machine: say which, --daemon sender or --daemon receiver");
}

int command_daemon(FileSystem& files, const DaemonPlace& place, const std::string& role,
                   const std::string& verb, const std::map<std::string, std::string>& arguments,
                   Console console) {
  const auto body = show_command_arguments(arguments);
  if (!body.ok()) return fail(console, body.error(), kExitUsage);
  const auto target = find_daemon(files, place, role);
  if (!target.ok())
    return fail(console, target.error(),
                target.error().code == ErrorCode::kInvalidArgument ? kExitUsage : kExitUnreachable);
  const auto answer = ask_control(*target, {"POST", "/control/" + verb, *body});
  if (!answer.ok()) return fail(console, answer.error(), kExitUnreachable);
  if (answer->status == 200) {
    console.out << answer->body;
    return kExitOk;
  }
  console.err << "tidegate: " << verb << " is refused: " << answer->body;
  return kExitNo;
}

// ---- check

Result<std::string> program_of_config(FileSystem& files, const std::string& path) {
  TG_TRY(const auto file, YamlFile::load(files, path));
  YamlMap root = file->root();
  YamlMap link = root.map("link");
  const bool sender = root.has("sources") || link.has("remote");
  const bool receiver = root.has("sinks") || link.has("listen");
  if (sender != receiver) return std::string(sender ? "tidegate-sender" : "tidegate-receiver");
  return make_error(ErrorCode::kInvalidConfiguration,
                    sender
                        ? "this file has keys of a sender (sources, link.remote) and of a receiver (sinks, "
                          "link.listen): it can be for one of them only"
                        : "this is neither the file of a sender (it has sources and link.remote) nor of a "
                          "receiver (it has sinks and link.listen)")
      .at_path(path);
}

Result<std::vector<std::string>> check_command(FileSystem& files, const std::string& path,
                                               const std::string& own_program) {
  TG_TRY(const std::string program, program_of_config(files, path));
  const std::string beside = own_program.substr(0, own_program.rfind('/') + 1) + program;
  return std::vector<std::string>{files.exists(beside) ? beside : program, "--check", path};
}

// ---- journal

std::string journal_folder(FileSystem& files, const std::string& directory) {
  const std::string inner = directory + "/journal";
  return files.exists(inner) ? inner : directory;
}

int list_segments(FileSystem& files, const std::string& directory, bool json, Console console) {
  const auto segments = list_journal(files, journal_folder(files, directory));
  if (!segments.ok()) return fail(console, segments.error(), kExitUnreachable);
  console.out << segments_text(*segments, json);
  return kExitOk;
}

int dump_folder(FileSystem& files, const std::string& directory, const DumpOptions& options,
                Console console) {
  const Status status = dump_journal(files, journal_folder(files, directory), options,
                                     [&console](std::string_view line) { console.out << line << "\n"; });
  return status.ok() ? kExitOk : fail(console, status.error(), kExitUnreachable);
}

int verify_folder(FileSystem& files, const std::string& directory, bool hash, Console console) {
  const auto report =
      verify_journal(files, journal_folder(files, directory), hash, [&console](const DamagedRange& range) {
        console.out << "damaged: LSN " << range.first << ".." << range.last << " in " << range.segment << ": "
                    << range.reason << "\n";
      });
  if (!report.ok()) return fail(console, report.error(), kExitUnreachable);
  console.out << report->segments << " segments, " << report->bytes << " bytes read, " << report->problems
              << (report->problems == 1 ? " problem\n" : " problems\n");
  return report->exit_status();
}

// ---- audit

namespace {

std::string head_text(const AuditHead& head) {
  return std::to_string(head.sequence) + ":" + to_hex(head.hash);
}

Result<std::optional<AuditHead>> parse_head(const std::string& text) {
  if (text.empty()) return std::optional<AuditHead>();
  AuditHead head;
  const char* const end = text.data() + text.size();
  const auto [colon, error] = std::from_chars(text.data(), end, head.sequence);
  Bytes hash;
  const bool has_hash = colon != end && *colon == ':' && from_hex(std::string_view(colon + 1, end), &hash);
  if (error != std::errc() || !has_hash || hash.size() != head.hash.size())
    return make_error(
        ErrorCode::kInvalidArgument,
        "--head is <sequence>:<64 hexadecimal digits>, as an earlier `tidegate audit verify` printed it");
  std::ranges::copy(hash, head.hash.begin());
  return std::optional(head);
}

}  // namespace

int verify_audit(FileSystem& files, const std::string& directory, const std::string& head, Console console) {
  const auto noted = parse_head(head);
  if (!noted.ok()) return fail(console, noted.error(), kExitUsage);
  const std::string inner = directory + "/audit";
  const auto report = verify_audit_log(files, files.exists(inner) ? inner : directory, *noted);
  if (!report.ok()) return fail(console, report.error(), kExitUnreachable);
  for (const AuditFinding& finding : report->findings)
    console.out << audit_finding_name(finding.kind) << ": " << finding.text << "\n";
  for (const std::string& note : report->notes) console.out << "note: " << note << "\n";
  console.out << report->lines << (report->lines == 1 ? " line, " : " lines, ")
              << (report->intact() ? "intact" : std::to_string(report->findings.size()) + " findings")
              << "; head " << head_text(report->last) << "\n";
  return report->intact() ? kExitOk : kExitNo;
}

}  // namespace tidegate
