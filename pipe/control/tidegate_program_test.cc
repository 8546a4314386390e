// SPDX-License-Identifier: Apache-2.0
// `tidegate` as a program, and its verbs against a real control server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/real_env.h"
#include "pipe/control/audit_log.h"
#include "pipe/control/command_text.h"
#include "pipe/control/control_server.h"
#include "pipe/control/tidegate_verbs.h"
#include "pipe/stream/stream_state.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Ran {
  int code = -1;
  std::string text;  // both outputs
};

class TidegateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/tidegate-verbs-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override {
    servers_.clear();
    std::filesystem::remove_all(dir_);
  }
  static Ran run(const std::string& arguments, const std::string& program = TIDEGATE_PROGRAM) {
    Ran out;
    FILE* pipe = popen((program + " " + arguments + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return out;
    std::array<char, 4096> bytes{};
    for (std::size_t n; (n = fread(bytes.data(), 1, bytes.size(), pipe)) > 0;)
      out.text.append(bytes.data(), n);
    const int status = pclose(pipe);
    out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return out;
  }
  // A daemon's control server where the unit would put it.
  void serve(const std::string& role, Health health = Health::kOk) {
    std::filesystem::create_directories(dir_ + "/" + role);
    StatusReport report;
    report.program = "tidegate-" + role;
    report.health = health;
    servers_.push_back(std::make_unique<ControlServer>(
        ControlOptions{{"127.0.0.1", 0}, dir_ + "/" + role + "/control.sock"}, [report] { return report; },
        [this, role](const ControlCommand& command) {
          heard_ = role + " " + command.verb + " " + show_command_arguments(command.arguments).value();
          return ControlReply{command.arguments != std::map<std::string, std::string>{{"base", "13"}},
                              "it is so"};
        }));
    const Status status = servers_.back()->start();
    ASSERT_TRUE(status.ok()) << status.error().text();
  }
  std::string here() const { return " --run-dir " + dir_; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ + "/" + name) << text;
    return dir_ + "/" + name;
  }
  void make_journal(const std::string& folder) const {
    StreamState state;
    JournalOptions options;
    options.directory = folder;
    auto journal = Journal::open(real_env(), options, &state);
    ASSERT_TRUE(journal.ok()) << journal.error().text();
    ASSERT_TRUE((*journal)->close().ok());
  }

  std::string dir_, heard_;
  std::vector<std::unique_ptr<ControlServer>> servers_;
};

TEST_F(TidegateTest, StatusShowsBothDaemonsAndTheWorstIsTheExitCode) {
  serve("sender", Health::kDegraded);
  EXPECT_EQ(run("status" + here()).code, 0);
  serve("receiver", Health::kFailed);
  const Ran both = run("status" + here());
  EXPECT_EQ(both.code, 1);
  EXPECT_THAT(both.text, AllOf(HasSubstr("tidegate-sender"), HasSubstr("tidegate-receiver")));
}

TEST_F(TidegateTest, StatusIsReadByUrlAndSocketToo) {
  serve("sender");
  const std::string port = std::to_string(servers_[0]->port());
  EXPECT_THAT(run("status --json --url http://127.0.0.1:" + port).text, HasSubstr("\"health\":\"ok\""));
  EXPECT_EQ(run("status --socket " + dir_ + "/sender/control.sock").code, 0);
}

TEST_F(TidegateTest, StatusWithoutADaemonSaysWhatToDo) {
  const Ran none = run("status" + here());
  EXPECT_EQ(none.code, 3);
  EXPECT_THAT(none.text, AllOf(HasSubstr("systemctl status"), HasSubstr("--socket")));
  serve("sender");
  servers_.clear();
  EXPECT_EQ(run("status --socket " + dir_ + "/sender/control.sock").code, 3);
}

TEST_F(TidegateTest, CommandsGoToTheirDaemon) {
  serve("sender");
  serve("receiver");
  EXPECT_EQ(run("confirm" + here()).code, 0);
  EXPECT_EQ(heard_, "sender confirm ");
  EXPECT_EQ(run("fork --base 12 --yes" + here()).code, 0);
  EXPECT_EQ(heard_, "sender fork base=12\n");
  EXPECT_EQ(run("fork --base 12 --pipe p --yes" + here()).code, 0);
  EXPECT_EQ(heard_, "sender fork base=12\npipe=p\n");
  EXPECT_EQ(run("adopt --sender aa --journal bb" + here()).code, 0);
  EXPECT_EQ(heard_, "receiver adopt journal=bb\nsender=aa\n");
}

TEST_F(TidegateTest, ARefusedCommandIsSaidWithExitCodeOne) {
  serve("sender");
  const Ran refused = run("fork --base 13 --yes" + here());
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.text, HasSubstr("fork is refused: it is so"));
}

TEST_F(TidegateTest, WhatCannotBeTakenBackNeedsAYes) {
  serve("sender");
  const Ran asked = run("gap" + here());
  EXPECT_EQ(asked.code, 2);
  EXPECT_THAT(asked.text, HasSubstr("--yes"));
  EXPECT_EQ(heard_, "");
}

TEST_F(TidegateTest, WrongArgumentsAreExitCodeTwo) {
  EXPECT_EQ(run("").code, 2);
  EXPECT_EQ(run("fork --base -1 --yes").code, 2);
  EXPECT_EQ(run("adopt").code, 2);
  EXPECT_EQ(run("adopt --as-new").code, 2);
  EXPECT_EQ(run("adopt --help").code, 0);
}

TEST_F(TidegateTest, AFileIsCheckedByTheProgramItIsFor) {
  FileSystem& files = *real_env().files;
  const auto program = [&](const std::string& text) {
    const auto found = program_of_config(files, write("c.yaml", text));
    return found.ok() ? *found : found.error().detail;
  };
  EXPECT_EQ(program("sources: []\n"), "tidegate-sender");
  EXPECT_EQ(program("link: {remote: 'a:1'}\n"), "tidegate-sender");
  EXPECT_EQ(program("sinks: []\n"), "tidegate-receiver");
  EXPECT_EQ(program("link: {listen: 'a:1'}\n"), "tidegate-receiver");
  EXPECT_THAT(program("instance: x\n"), HasSubstr("neither"));
  EXPECT_THAT(program("sinks: []\nsources: []\n"), HasSubstr("one of them only"));
}

TEST_F(TidegateTest, TheCheckHasTheExitCodeOfTheDaemonBesideTheCommand) {
  std::filesystem::copy(TIDEGATE_PROGRAM, dir_ + "/tidegate");
  const std::string daemon = write("tidegate-sender", "#!/bin/sh\necho \"checks $*\"\nexit 2\n");
  std::filesystem::permissions(daemon, std::filesystem::perms::owner_all);
  const std::string file = write("s.yaml", "sources: []\n");
  const Ran checked = run("check " + file, dir_ + "/tidegate");
  EXPECT_EQ(checked.code, 2);
  EXPECT_EQ(checked.text, "checks --check " + file + "\n");
}

TEST_F(TidegateTest, TheJournalIsFoundInADataDirToo) {
  make_journal(dir_ + "/data/journal");
  EXPECT_EQ(run("journal verify --hash " + dir_ + "/data").code, 0);
  EXPECT_EQ(run("journal verify " + dir_ + "/data/journal").text,
            run("journal verify " + dir_ + "/data").text);
  EXPECT_EQ(run("journal ls " + dir_ + "/data").code, 0);
  EXPECT_THAT(run("journal dump --json " + dir_ + "/data").text, HasSubstr("{"));
  EXPECT_EQ(run("journal verify " + dir_ + "/nothing").code, 3);
}

TEST_F(TidegateTest, AdoptTakesOverTheJournalOfTheFile) {
  make_journal(dir_ + "/data/journal");
  const std::string file = write("s.yaml", "instance: x\ndata_dir: " + dir_ + "/data\nsources: []\n");
  const Ran adopted = run("adopt --config " + file);
  EXPECT_EQ(adopted.code, 0) << adopted.text;
  EXPECT_THAT(adopted.text, HasSubstr("session 1"));
  EXPECT_EQ(run("adopt --config " + write("r.yaml", "sinks: []\n")).code, 2);
  const std::string empty = write("e.yaml", "instance: x\ndata_dir: " + dir_ + "/none\nsources: []\n");
  EXPECT_THAT(run("adopt --config " + empty).text, HasSubstr("no journal to adopt"));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/none"));
}

TEST_F(TidegateTest, AdoptRefusesTheFolderOfAReceiver) {
  make_journal(dir_ + "/data/journal");
  write("data/role", "receiver\n");
  const std::string file = write("s.yaml", "instance: x\ndata_dir: " + dir_ + "/data\nsources: []\n");
  const Ran adopted = run("adopt --config " + file);
  EXPECT_EQ(adopted.code, 1);
  EXPECT_THAT(adopted.text, HasSubstr("belongs to a receiver"));
}

TEST_F(TidegateTest, TheAuditLogIsVerifiedAlsoAgainstAHeadNotedEarlier) {
  auto log = AuditLog::open(real_env(), dir_ + "/data/audit");
  ASSERT_TRUE(log.ok());
  for (const char* statement : {"SHOW PIPES", "DROP PIPE p"})
    ASSERT_TRUE((*log)->write({"root", 0U, 1, "test", statement, {}, ""}).ok());
  const Ran intact = run("audit verify " + dir_ + "/data");
  EXPECT_EQ(intact.code, 0) << intact.text;
  const std::string head = intact.text.substr(intact.text.find("head ") + 5, 2 + 64);
  EXPECT_EQ(run("audit verify " + dir_ + "/data/audit --head " + head).code, 0);
  EXPECT_EQ(run("audit verify " + dir_ + "/data --head 2:00").code, 2);
  EXPECT_EQ(run("audit verify " + dir_ + "/data --head 2:" + std::string(64, '0')).code, 1);
  const std::string file = dir_ + "/data/audit/audit-00000000000000000001.log";
  auto content = read_file(*real_env().files, file, 1 << 20);
  std::string text(as_text(*content));
  text.replace(text.find("DROP PIPE p"), 11, "SHOW PIPE p");
  write("data/audit/audit-00000000000000000001.log", text);
  const Ran edited = run("audit verify " + dir_ + "/data");
  EXPECT_EQ(edited.code, 1);
  EXPECT_THAT(edited.text, AllOf(HasSubstr("edited"), HasSubstr(":2:")));
  EXPECT_EQ(run("audit verify " + dir_ + "/nowhere").code, 3);
}

TEST_F(TidegateTest, TheCatalogueIsRebuiltByTheDaemonThatIsNamed) {
  serve("sender");
  EXPECT_EQ(run("catalogue rebuild" + here()).code, 0);
  EXPECT_EQ(heard_, "sender rebuild-catalogue ");
  serve("receiver");
  EXPECT_EQ(run("catalogue rebuild" + here()).code, 2);
  EXPECT_EQ(run("catalogue rebuild --daemon receiver" + here()).code, 0);
  EXPECT_EQ(heard_, "receiver rebuild-catalogue ");
}

TEST_F(TidegateTest, APropertiesFileBecomesYamlAndWhatHasNoCounterpartIsOnStandardError) {
  const std::string file = write("e.properties", "ip_white_list=10.0.0.0/8\nrpc_port=6667\n");
  const auto redirected = [&file](const std::string& to) {  // run() takes both outputs of the shell
    return run("-c '" TIDEGATE_PROGRAM " import-properties " + file + " " + to + "'", "sh");
  };
  EXPECT_THAT(redirected("2>/dev/null").text,
              AllOf(HasSubstr("allow: [\"10.0.0.0/8\"]"), ::testing::Not(HasSubstr("rpc_port"))));
  const Ran notes = redirected("2>&1 >/dev/null");
  EXPECT_EQ(notes.code, 0);
  EXPECT_EQ(notes.text.find(file + ":2: rpc_port"), 0U) << notes.text;
}

TEST_F(TidegateTest, APropertiesFileThatCannotBeReadPrintsNoYaml) {
  const std::string file = write("e.properties", "pipe_lib_dir=/a\nno setting\n");
  const Ran refused = run("import-properties " + file);
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.text.find(file + ":2"), 0U) << refused.text;
  EXPECT_THAT(refused.text, ::testing::Not(HasSubstr("pipe_lib_dir: ")));
  EXPECT_EQ(run("import-properties " + dir_ + "/none").code, 2);
  EXPECT_EQ(run("import-properties --daemon both " + file).code, 2);
}

TEST(CommandText, WhatIsShownIsReadBack) {
  const std::map<std::string, std::string> arguments = {{"base", "1"}, {"note", "a = b"}};
  EXPECT_EQ(*parse_command_arguments(*show_command_arguments(arguments)), arguments);
  EXPECT_FALSE(show_command_arguments({{"a", "1\n2"}}).ok());
  EXPECT_FALSE(show_command_arguments({{"a b", ""}}).ok());
  EXPECT_EQ(parse_command_arguments("a=1\n\nb").error().line, 3U);
}

}  // namespace
}  // namespace tidegate
