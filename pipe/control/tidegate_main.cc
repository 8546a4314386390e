// SPDX-License-Identifier: Apache-2.0
// tidegate: the operator's command. This file reads the arguments; tidegate_verbs.h and the shell do what
// they say.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>

#include "base/exit_code.h"
#include "base/real_env.h"
#include "base/version.h"
#include "base/yaml.h"
#include "pipe/control/daemon_config.h"
#include "pipe/control/data_dir.h"
#include "pipe/control/import_properties.h"
#include "pipe/control/tidegate_adopt.h"
#include "pipe/control/tidegate_verbs.h"
#include "pipe/statement/shell/shell.h"

namespace tidegate {
namespace {

constexpr unsigned kWatchSeconds = 2;

Console console() {
  return {std::cout, std::cerr};
}
FileSystem& files() {
  return *real_env().files;
}

void add_place(CLI::App* verb, DaemonPlace& place) {
  auto* socket = verb->add_option("--socket", place.socket, "the daemon's Unix socket, its `control.socket`");
  verb->add_option("--run-dir", place.run_dir, "where the daemons' sockets are looked for")
      ->capture_default_str()
      ->excludes(socket);
}

// ---- status, check

int watch(const DaemonPlace& place) {
  for (;;) {
    std::cout << "\x1b[H\x1b[2J";
    show_status(files(), place, false, console());
    std::cout << std::flush;
    sleep(kWatchSeconds);
  }
}

std::string own_program() {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
  return n > 0 ? std::string(path, static_cast<std::size_t>(n)) : std::string();
}

int check(const std::string& path) {
  auto command = check_command(files(), path, own_program());
  if (!command.ok()) {
    std::cerr << command.error().text() << "\n";
    return kExitUsage;
  }
  std::vector<char*> arguments;
  for (std::string& word : *command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  std::cerr << "tidegate: cannot run " << arguments[0] << ": " << std::strerror(errno)
            << "; install it beside tidegate or on PATH\n";
  return kExitUnreachable;
}

// ---- adopt

// What root writes the daemon's user could not open: be the owner of the folder.
Status become_owner(const std::string& directory) {
  struct stat found{};
  if (stat(directory.c_str(), &found) != 0)
    return make_error(ErrorCode::kNotFound, "there is no journal to adopt").at_path(directory);
  if (geteuid() != 0 || found.st_uid == 0) return {};
  if (setgroups(0, nullptr) != 0 || setegid(found.st_gid) != 0 || seteuid(found.st_uid) != 0)
    return make_error(ErrorCode::kIo, std::string("cannot act as the owner: ") + std::strerror(errno))
        .at_path(directory);
  return {};
}

Result<AdoptReport> adopt(const std::string& path, bool as_new) {
  TG_TRY(const std::string program, program_of_config(files(), path));
  if (program != "tidegate-sender")
    return make_error(
               ErrorCode::kInvalidConfiguration,
               "this is the file of a receiver. A receiver approves the journal of a sender: `tidegate adopt "
               "--sender ID --journal ID`, while it runs")
        .at_path(path);
  TG_TRY(const auto file, YamlFile::load(files(), path));
  YamlMap root = file->root();
  const DaemonConfig config = read_daemon(files(), root, path);
  if (config.data_dir.empty() || config.data_dir.front() != '/')
    return make_error(ErrorCode::kInvalidConfiguration, "`data_dir` is missing; run `tidegate check`")
        .at_path(path);
  TG_CHECK(become_owner(config.journal.directory));
  TG_CHECK(check_data_dir(files(), config.data_dir, "sender"));
  return adopt_sender(real_env(), config.journal, as_new);
}

int run_adopt(const std::string& path, bool as_new) {
  const auto report = adopt(path, as_new);
  if (!report.ok()) {
    std::cerr << "tidegate: not adopted: " << report.error().text() << "\n";
    return report.error().code == ErrorCode::kInvalidConfiguration ? kExitUsage : kExitNo;
  }
  std::cout << "journal " << report->journal.hex() << ", session " << report->session << "\n";
  for (const AdoptReport::Stream& s : report->streams) {
    std::cout << "stream " << s.was << " '" << s.label << "'";
    if (!as_new) {
      std::cout << ": generation " << s.generation << ", sent again from " << s.base + 1 << "\n";
    } else if (s.is == 0) {
      std::cout << ": ended, all of it is confirmed\n";
    } else {
      std::cout << ": ended, stream " << s.is << " begins behind its number " << s.base << "\n";
    }
  }
  if (as_new)
    std::cout << "The receiver does not know this journal: there, run `tidegate adopt --sender ID --journal "
              << report->journal.hex() << "` when it asks for it.\n";
  std::cout << "Start the daemon: systemctl start tidegate-sender\n";
  return kExitOk;
}

// ---- shell

constexpr std::uint64_t kMaxScript = 4 << 20;

struct ShellArguments {
  DaemonPlace place;
  std::string daemon, statements, file, dialect;
  bool json = false;
};

std::string history_file() {
  const char* const home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? "" : std::string(home) + "/.tidegate_history";
}

Result<std::string> read_script(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  TG_TRY(const Bytes content, read_file(files(), path, kMaxScript));
  return std::string(as_text(content));
}

int shell(const ShellArguments& a) {
  const auto fail = [](const Error& error, int code) {
    std::cerr << "tidegate: " << error.text() << "\n";
    return code;
  };
  const auto target = find_daemon(files(), a.place, a.daemon);
  if (!target.ok())
    return fail(target.error(),
                target.error().code == ErrorCode::kInvalidArgument ? kExitUsage : kExitUnreachable);
  const ShellOptions options{*target, a.dialect, a.json, history_file()};
  if (!a.statements.empty()) return run_statements(options, a.statements, std::cout, std::cerr);
  if (a.file.empty()) return run_session(options, std::cout, std::cerr);
  const auto script = read_script(a.file);
  if (!script.ok()) return fail(script.error(), kExitUsage);
  return run_statements(options, *script, std::cout, std::cerr);
}

// ---- the arguments

struct Arguments {
  DaemonPlace place;
  bool json = false, watch = false, content = false, hash = false, yes = false, as_new = false;
  std::string file, directory, pipe, sender, journal, daemon, head;
  std::uint64_t base = 0;
  DumpOptions dump;
};
using Run = std::function<int()>;

void add_status(CLI::App& app, Arguments& a, Run& run) {
  CLI::App* verb = app.add_subcommand("status", "show what the daemons of this machine are doing");
  verb->footer(
      "0: ok or degraded   1: failed   3: not reachable\n"
      "  tidegate status                      both daemons, where the units put their sockets\n"
      "  tidegate status --watch              again every 2 s\n"
      "  tidegate status --json | jq .waiting_batches\n"
      "  tidegate status --url http://127.0.0.1:9781");
  add_place(verb, a.place);
  verb->add_option("--url", a.place.url, "the daemon's `control.listen`, http://host:port")
      ->excludes("--socket");
  auto* json = verb->add_flag("--json", a.json, "the whole report, one JSON object a line");
  verb->add_flag("--watch", a.watch, "until interrupted")->excludes(json);
  verb->callback([&a, &run] {
    run = [&a] { return a.watch ? watch(a.place) : show_status(files(), a.place, a.json, console()); };
  });
}

void add_check(CLI::App& app, Arguments& a, Run& run) {
  CLI::App* verb = app.add_subcommand("check", "read a configuration as strictly as the daemon does");
  verb->footer(
      "0: ok, perhaps with warnings   2: refused, every mistake with file, line and column\n  tidegate check "
      "/etc/tidegate/sender.yaml");
  verb->add_option("file", a.file, "configuration of a sender or a receiver")->required();
  verb->callback([&a, &run] { run = [&a] { return check(a.file); }; });
}

void add_journal(CLI::App& app, Arguments& a, Run& run) {
  CLI::App* verb = app.add_subcommand("journal", "look at a journal; read-only, also while the daemon runs");
  verb->require_subcommand(1);
  const auto folder = [&a](CLI::App* sub) {
    sub->add_option("dir", a.directory, "folder of the journal, or the data_dir it is in")->required();
  };
  CLI::App* ls = verb->add_subcommand("ls", "its segments");
  ls->footer("  tidegate journal ls /var/lib/tidegate/sender");
  folder(ls);
  ls->add_flag("--json", a.json, "one JSON object a line");
  ls->callback([&a, &run] { run = [&a] { return list_segments(files(), a.directory, a.json, console()); }; });
  CLI::App* dump = verb->add_subcommand("dump", "its records");
  dump->footer("  tidegate journal dump /var/lib/tidegate/sender --from 1200 --to 1210 --content");
  folder(dump);
  dump->add_option("--from", a.dump.first, "first LSN")->capture_default_str()->check(CLI::NonNegativeNumber);
  dump->add_option("--to", a.dump.last, "last LSN")->check(CLI::NonNegativeNumber);
  dump->add_flag("--json", a.dump.json, "one JSON object a line");
  dump->add_flag("--content", a.dump.content, "also the rows and other events");
  dump->callback([&a, &run] { run = [&a] { return dump_folder(files(), a.directory, a.dump, console()); }; });
  CLI::App* verify = verb->add_subcommand("verify", "read everything, compare checksums");
  verify->footer(
      "0: nothing wrong   1: problems   3: could not be verified\n"
      "  tidegate journal verify /var/lib/tidegate/sender --hash");
  folder(verify);
  verify->add_flag("--hash", a.hash, "also decode every batch and compare its content hash");
  verify->callback(
      [&a, &run] { run = [&a] { return verify_folder(files(), a.directory, a.hash, console()); }; });
}

// ---- import-properties

int import_file(const std::string& path, const std::string& daemon) {
  const auto text = read_file(files(), path, YamlFile::kMaxFileBytes);
  if (!text.ok()) {
    std::cerr << "tidegate: " << text.error().text() << "\n";
    return kExitUsage;
  }
  std::optional<DaemonRole> role;
  if (!daemon.empty()) role = daemon == "sender" ? DaemonRole::kSender : DaemonRole::kReceiver;
  const auto imported = import_properties(as_text(*text), path, role);
  if (!imported.ok()) {
    std::cerr << imported.error().text() << "\n";
    return kExitUsage;
  }
  for (const std::string& note : imported->notes) std::cerr << note << "\n";
  std::cout << imported->yaml;
  return kExitOk;
}

void add_import(CLI::App& app, Arguments& a, Run& run) {
  CLI::App* verb = app.add_subcommand("import-properties", "turn a properties file of IoTDB into YAML");
  verb->footer(
      "0: the settings are on the standard output, what has no counterpart on standard error   2: refused\n"
      "  tidegate import-properties iotdb-common.properties > receiver-part.yaml");
  verb->add_option("file", a.file, "iotdb-common.properties, iotdb-engine.properties, ...")->required();
  verb->add_option("--daemon", a.daemon, "sender or receiver, where the file has settings of both")
      ->check(CLI::IsMember({"sender", "receiver"}));
  verb->callback([&a, &run] { run = [&a] { return import_file(a.file, a.daemon); }; });
}

int final_step(const Arguments& a, const char* what, const Run& run) {
  if (a.yes) return run();
  std::cerr << what << "\nRepeat the command with --yes if that is meant.\n";
  return kExitUsage;
}

void add_link_verbs(CLI::App& app, Arguments& a, Run& run) {
  const auto order = [&a](const char* verb, std::map<std::string, std::string> arguments) {
    return command_daemon(files(), a.place, "sender", verb, arguments, console());
  };
  const auto of_pipe = [&a](std::map<std::string, std::string> arguments) {
    if (!a.pipe.empty()) arguments["pipe"] = a.pipe;
    return arguments;
  };
  CLI::App* gap = app.add_subcommand("gap", "sender: declare what it cannot send any more, and go on");
  gap->footer("For a stream in `STOPPED: gap`. Only as root or as the daemon's user.\n  tidegate gap --yes");
  add_place(gap, a.place);
  gap->add_option("--pipe", a.pipe, "whose stream is meant, where the link carries several pipes");
  gap->add_flag("--yes", a.yes, "yes, the missing batches are given up for good");
  gap->callback([&a, &run, order, of_pipe] {
    run = [&a, order, of_pipe] {
      return final_step(
          a, "A gap is final: the batches that this box no longer has are recorded as missing on both sides.",
          [&] { return order("gap", of_pipe({})); });
    };
  });
  CLI::App* fork = app.add_subcommand("fork", "sender: send again from a batch that both sides have");
  fork->footer(
      "With `ask: off`, after one side was restored. Only as root or as the daemon's user.\n"
      "  tidegate fork --base 1200 --yes        1201 and later are sent again\n"
      "  tidegate fork --base 0 --yes           everything that is kept is sent again");
  add_place(fork, a.place);
  fork->add_option("--pipe", a.pipe, "whose stream is meant, where the link carries several pipes");
  fork->add_option("--base", a.base, "the last sequence that both sides have")
      ->required()
      ->check(CLI::NonNegativeNumber);
  fork->add_flag("--yes", a.yes, "yes, repetitions are meant");
  fork->callback([&a, &run, order, of_pipe] {
    run = [&a, order, of_pipe] {
      return final_step(a, "A fork repeats batches: the receiver keeps both branches and delivers both.",
                        [&] { return order("fork", of_pipe({{"base", std::to_string(a.base)}})); });
    };
  });
  CLI::App* confirm =
      app.add_subcommand("confirm", "sender: ask for a proof of what is in the far journal, now");
  confirm->footer("Only as root or as the daemon's user.\n  tidegate confirm");
  add_place(confirm, a.place);
  confirm->callback([&run, order] { run = [order] { return order("confirm", {}); }; });
}

void add_adopt(CLI::App& app, Arguments& a, Run& run) {
  CLI::App* adopt =
      app.add_subcommand("adopt", "take over a journal (sender, stopped), or approve one (receiver)");
  adopt->footer(
      "On the inner machine, the daemon stopped, after a restore, a move or a clone:\n"
      "  tidegate adopt --config /etc/tidegate/sender.yaml            this box goes on; a twin is fenced\n"
      "  tidegate adopt --config /etc/tidegate/sender.yaml --as-new   a clone becomes a sender of its own\n"
      "On the outer machine, the daemon running, when it reports an unknown journal:\n"
      "  tidegate adopt --sender ID --journal ID                      as the status pages of both sides show "
      "them");
  auto* config = adopt->add_option("--config", a.file, "the sender's configuration");
  auto* as_new = adopt->add_flag("--as-new", a.as_new, "under a new journal id");
  auto* sender =
      adopt->add_option("--sender", a.sender, "32 hexadecimal digits")->excludes(config)->excludes(as_new);
  auto* journal = adopt->add_option("--journal", a.journal, "32 hexadecimal digits")->excludes(config);
  sender->needs(journal);
  journal->needs(sender);
  as_new->needs(config);
  add_place(adopt, a.place);
  adopt->callback([&a, &run] {
    run = [&a] {
      if (!a.file.empty()) return run_adopt(a.file, a.as_new);
      if (!a.sender.empty())
        return command_daemon(files(), a.place, "receiver", "adopt",
                              {{"sender", a.sender}, {"journal", a.journal}}, console());
      std::cerr << "tidegate: adopt needs --config FILE (sender) or --sender ID --journal ID (receiver)\n";
      return kExitUsage;
    };
  });
}

void add_audit(CLI::App& app, Arguments& a, Run& run) {
  CLI::App* audit = app.add_subcommand("audit", "the log of what operators did");
  audit->require_subcommand(1);
  CLI::App* verify = audit->add_subcommand("verify", "find what was edited, removed or reordered");
  verify->footer(
      "0: intact   1: findings   3: cannot be read\n"
      "Note the head that it prints elsewhere (paper, another machine) and give it the next time: only so a "
      "log\n"
      "that was written anew as a whole is found.\n"
      "  tidegate audit verify /var/lib/tidegate/sender --head 812:5d0c...");
  verify->add_option("dir", a.directory, "folder of the audit log, or the data_dir it is in")->required();
  verify->add_option("--head", a.head, "<sequence>:<hash> noted earlier");
  verify->callback(
      [&a, &run] { run = [&a] { return verify_audit(files(), a.directory, a.head, console()); }; });
}

void add_catalogue(CLI::App& app, Arguments& a, Run& run) {
  CLI::App* catalogue = app.add_subcommand("catalogue", "the definitions of a daemon");
  catalogue->require_subcommand(1);
  CLI::App* rebuild =
      catalogue->add_subcommand("rebuild", "make a damaged catalogue.db anew, while the daemon runs");
  rebuild->footer(
      "It takes what the daemon last knew, and keeps the damaged file beside the new one. Only as root or as "
      "the\n"
      "daemon's user.\n"
      "  tidegate catalogue rebuild --daemon receiver");
  add_place(rebuild, a.place);
  rebuild->add_option("--daemon", a.daemon, "sender or receiver, where both run here")
      ->check(CLI::IsMember({"sender", "receiver"}));
  rebuild->callback([&a, &run] {
    run = [&a] { return command_daemon(files(), a.place, a.daemon, "rebuild-catalogue", {}, console()); };
  });
}

void add_shell(CLI::App& app, ShellArguments& a) {
  auto* text = app.add_option("-e", a.statements, "carry out these statements, separated by ';'");
  app.add_option("-f", a.file, "the same from a file; - is the standard input")->excludes(text);
  app.add_flag("--json", a.json, "results as JSON, one object a line");
  app.add_option("--dialect", a.dialect, "data-sync or edge-cloud; without it, the daemon's `dialect`")
      ->check(CLI::IsMember({"data-sync", "edge-cloud"}, CLI::ignore_case));
  app.add_option("--daemon", a.daemon, "sender or receiver, where both run here")
      ->check(CLI::IsMember({"sender", "receiver"}));
  add_place(&app, a.place);
}

int run_command(int argc, char** argv) {
  CLI::App app{"tidegate: the operator's command of the one-way gateway"};
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(0, 1);
  app.footer(
      "Without a verb it is a shell for statements: at a terminal, or with -e or -f.\n"
      "  tidegate                             a session\n"
      "  tidegate -e 'SHOW PIPES'\n"
      "  tidegate --json -f pipes.sql\n"
      "`tidegate VERB --help` shows examples.\nExit codes: 0 done; 1 the daemon or the journal says no; 2 "
      "the "
      "command line or a configuration is refused; 3 no daemon answers, or the journal cannot be read.");
  Arguments arguments;
  ShellArguments shell_arguments;
  Run run;
  add_shell(app, shell_arguments);
  add_status(app, arguments, run);
  add_check(app, arguments, run);
  add_journal(app, arguments, run);
  add_link_verbs(app, arguments, run);
  add_adopt(app, arguments, run);
  add_audit(app, arguments, run);
  add_catalogue(app, arguments, run);
  add_import(app, arguments, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitOk : kExitUsage;
  }
  if (run) return run();
  const bool has_text = !shell_arguments.statements.empty() || !shell_arguments.file.empty();
  if (has_text || isatty(STDIN_FILENO) == 1) return shell(shell_arguments);
  std::cerr
      << "tidegate: say a verb, or give statements with -e TEXT or -f FILE (-f - reads the standard input); "
         "--help lists them\n";
  return kExitUsage;
}

}  // namespace
}  // namespace tidegate

int main(int argc, char** argv) {
  return tidegate::run_command(argc, argv);
}
