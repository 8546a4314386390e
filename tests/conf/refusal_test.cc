// SPDX-License-Identifier: Apache-2.0
// What `tidegate check` refuses and of what it warns: what the device does not allow, what cannot work, and
// what the daemon would only notice when it is too late.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/sim_env.h"
#include "receiver/receiver_config.h"
#include "sender/sender_config.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kSource = "sources:\n  - {name: a, type: influx-http}\n";
constexpr const char* kSink = "sinks:\n  - {name: a, type: file, directory: /data/out}\n";

class RefusalTest : public ::testing::Test {
 protected:
  void SetUp() override { ::unsetenv("CREDENTIALS_DIRECTORY"); }

  // The errors of a file; "ok" where it has none. The warnings are kept.
  std::string sender(const std::string& link, const std::string& rest = kSource) {
    write("instance: x\ndata_dir: /data\nlink:\n  remote: 10.0.0.1:9780\n" + link + rest);
    return verdict(load_sender_config(env_.files, "/c.yaml", YamlUse::kCheck));
  }
  std::string receiver(const std::string& link, const std::string& rest = kSink) {
    write("instance: x\ndata_dir: /data\nlink:\n  listen: 0.0.0.0:9780\n" + link + rest);
    return verdict(load_receiver_config(env_.files, "/c.yaml", YamlUse::kCheck));
  }
  void write(const std::string& text) {
    ASSERT_TRUE(replace_file(env_.files, "/c.yaml", as_bytes(text)).ok());
  }
  template <class Config>
  std::string verdict(const Result<Config>& config) {
    warnings_ = config.ok() ? config->daemon.warnings : std::vector<std::string>{};
    return config.ok() ? "ok" : config.error().text();
  }

  SimEnv env_;
  std::vector<std::string> warnings_;
};

// ---- the journal

TEST_F(RefusalTest, AQuotaHoldsSeveralSegmentsAndSeveralFrames) {
  EXPECT_THAT(sender("", "journal: {quota: 192MiB}\n" + std::string(kSource)),
              HasSubstr("must be at least four segments (256 MiB)"));
  EXPECT_EQ(sender("", "journal: {quota: 256MiB}\n" + std::string(kSource)), "ok");
  const std::string small = "journal: {quota: 8MiB, segment: 1MiB}\n" + std::string(kSink);
  EXPECT_THAT(receiver("  profile: none\n  frame_limit: 4MB\n  frame_limit_tested: true\n", small),
              HasSubstr("is more than a quarter of journal.quota"));
  EXPECT_EQ(receiver("", small), "ok");
}

// ---- the device

TEST_F(RefusalTest, WhatTheProfileDoesNotAllowNeedsATestOfThisDevice) {
  for (const auto& [key, value] : {std::pair{"window", "2"}, {"frame_limit", "2MB"}, {"lanes", "5"}}) {
    const std::string line = std::string("  ") + key + ": " + value + "\n";
    const std::string tested = std::string("  ") + key + "_tested: true\n";
    for (const std::string& refused : {sender(line), receiver(line)})
      EXPECT_THAT(refused,
                  AllOf(HasSubstr("/c.yaml:5:3: 'link." + std::string(key) + "' is more than profile"),
                        HasSubstr(std::string(key) + "_tested: true")));
    EXPECT_EQ(sender(line + tested), "ok");
    EXPECT_EQ(receiver(line + tested), "ok");
  }
}

TEST_F(RefusalTest, TheWordTestedIsKnownAlsoWhereItIsNotNeeded) {
  EXPECT_EQ(sender("  lanes: 2\n  lanes_tested: true\n  window_tested: true\n  frame_limit_tested: true\n"
                   "  rate_tested: true\n"),
            "ok");
  EXPECT_EQ(receiver("", std::string(kSink) + "control: {listen: '127.0.0.1:1', expose: true}\n"), "ok");
}

TEST_F(RefusalTest, ARateIsBetweenTheLowestAndTheDevices) {
  EXPECT_THAT(sender("  rate: 100Mbit/s\n"),
              HasSubstr("'link.rate' is more than profile syskeeper-2000 allows"));
  EXPECT_THAT(sender("  rate: 0\n"), HasSubstr("rate_tested: true"));
  EXPECT_EQ(sender("  rate: 0\n  rate_tested: true\n"), "ok");
  EXPECT_THAT(sender("  rate: 4Mbit/s\n"), HasSubstr("'link.rate' must be at least lowest_rate"));
  EXPECT_EQ(sender("  rate: 10Mbit/s\n"), "ok");
  EXPECT_EQ(sender("  profile: none\n  rate: 0\n"), "ok");
  EXPECT_THAT(receiver("  lowest_rate: 20MB/s\n"),
              HasSubstr("'link.lowest_rate' must not be above the rate"));
}

// ---- the timers

TEST_F(RefusalTest, AnAnswerTimeoutIsAtMostTheDevicesLongest) {
  EXPECT_THAT(sender("  answer_timeout: 20m\n"), AllOf(HasSubstr("'link.answer_timeout'"), HasSubstr("15m")));
  EXPECT_EQ(sender("  answer_timeout: 10m\n"), "ok");
  EXPECT_THAT(sender("  lowest_rate: 1kB/s\n"),
              HasSubstr("'link.answer_timeout' plus the time of a full frame"));
  EXPECT_THAT(sender("  lowest_rate: 1B/s\n  frame_limit: 64MiB\n  frame_limit_tested: true\n"),
              HasSubstr("'link.answer_timeout' plus"))
      << "no figure overflows";
}

TEST_F(RefusalTest, ASyncAndAHoldFitIntoHalfOfAnAnswerTimeoutAlsoForTheSmallestFrame) {
  EXPECT_THAT(receiver("  sync_max: 2s\n"), HasSubstr("/c.yaml:5:3: 'link.sync_max' does not fit"));
  EXPECT_THAT(receiver("  hold: 4s\n"), HasSubstr("/c.yaml:5:3: 'link.hold' does not fit"));
  EXPECT_EQ(receiver("  sync_max: 1500ms\n"), "ok");
  EXPECT_EQ(receiver("  answer_timeout: 20s\n  sync_max: 2s\n"), "ok");
}

// ---- names and places

TEST_F(RefusalTest, AnInstanceIsAName) {
  for (const auto* name : {"''", "'  '", "\"a\\nb\""}) {
    write(std::string("instance: ") + name + "\ndata_dir: /data\n" + kSink);
    EXPECT_THAT(verdict(load_receiver_config(env_.files, "/c.yaml")),
                HasSubstr("/c.yaml:1:1: 'instance' must be"));
  }
}

TEST_F(RefusalTest, PathsAreAbsoluteAndASocketFitsTheKernel) {
  write(std::string("instance: x\ndata_dir: ''\n") + kSink);
  EXPECT_THAT(verdict(load_receiver_config(env_.files, "/c.yaml")),
              HasSubstr("/c.yaml:2:1: 'data_dir' must be"));
  EXPECT_THAT(receiver("", std::string(kSink) + "control: {socket: run/x.sock}\n"),
              HasSubstr("'control.socket'"));
  EXPECT_THAT(receiver("", std::string(kSink) + "control: {socket: /" + std::string(107, 'x') + "}\n"),
              HasSubstr("must have at most 107 bytes"));
}

TEST_F(RefusalTest, NamesOfSinksAndSourcesCannotLeaveTheirFolder) {
  for (const auto* name : {"../../esc", "a/b", ".x", "a b", "''"}) {
    const std::string item = std::string("  - {name: ") + name + ", type: ";
    EXPECT_THAT(receiver("", "sinks:\n" + item + "file, directory: /out}\n"),
                HasSubstr("'sinks[0].name' is refused"))
        << name;
    EXPECT_THAT(sender("", "sources:\n" + item + "influx-http}\n"), HasSubstr("'sources[0].name' is refused"))
        << name;
  }
}

TEST_F(RefusalTest, TwoListenersDoNotTakeOnePort) {
  const auto sources = [](const std::string& first, const std::string& second) {
    return "sources:\n  - {name: a, type: influx-http, listen: '" + first +
           "'}\n  - {name: b, type: influx-http, listen: '" + second + "'}\n";
  };
  EXPECT_THAT(sender("", sources("127.0.0.1:1", "localhost:1")),
              HasSubstr("'sources[1].listen' is taken: source 'a' listens on 127.0.0.1:1"));
  EXPECT_EQ(sender("", sources("127.0.0.1:1", "127.0.0.2:1")), "ok");
  EXPECT_EQ(sender("", sources("127.0.0.1:0", "127.0.0.1:0")), "ok");
  EXPECT_THAT(sender("", sources("127.0.0.1:1", "127.0.0.1:2") + "control: {listen: '127.0.0.1:2'}\n"),
              HasSubstr("'sources[1].listen' is taken: control listens"));
  EXPECT_THAT(receiver("", std::string(kSink) + "control: {listen: '127.0.0.1:9780'}\n"),
              HasSubstr("'link.listen' is taken: control listens on 127.0.0.1:9780"));
}

TEST_F(RefusalTest, FilesGoToAFolderOfTheirOwn) {
  const auto sink = [](const std::string& directory) {
    return "sinks:\n  - {name: b, type: file, directory: '" + directory + "'}\n";
  };
  for (const auto* own : {"/data/journal", "/data/journal/x", "/data/dead-letters/", "/data/x/../journal"})
    EXPECT_THAT(receiver("", sink(own)), HasSubstr("which is the daemon's own")) << own;
  for (const auto* above : {"/data", "/data/", "/data/.", "/"})
    EXPECT_THAT(receiver("", sink(above)), HasSubstr("holds the daemon's data_dir")) << above;
  EXPECT_THAT(receiver("", sink("out")), HasSubstr("must be an absolute path"));
  EXPECT_THAT(receiver("", kSink + sink("//data/out/").substr(7)), HasSubstr("is used by the sink 'a'"));
  EXPECT_EQ(receiver("", kSink + sink("/data/out2").substr(7)), "ok");
  EXPECT_EQ(receiver("", sink("/database")), "ok");
}

TEST_F(RefusalTest, WhatIsWrongWithASinkIsToldAtItsKeyAndAllAtOnce) {
  const std::string told =
      receiver("",
               "sinks:\n"
               "  - name: a\n"
               "    type: influx\n"
               "    url: ftp://x\n"
               "    version: 3\n"
               "    timeout: 5\n"
               "    gzipp: true\n"
               "    token: t\n"
               "    user: u\n"
               "  - {name: b, type: file, directory: out, rotate_bytes: 1k}\n"
               "  - {name: c, type: fil}\n"
               "  - {name: d, type: influx, url: 'http://h', version: 2, database: x}\n");
  EXPECT_THAT(told, HasSubstr("/c.yaml:8:5: 'sinks[0].url' is refused: the URL of the target"));
  for (const auto* error :
       {"9:5: 'sinks[0].version' must be an integer from 1 to 2",
        "10:5: 'sinks[0].timeout' must be a duration",
        "11:5: unknown key 'gzipp' in 'sinks[0]', did you mean 'gzip'?",
        "12:5: 'sinks[0].token' and user exclude", "14:27: 'sinks[1].directory' must be an absolute path",
        "14:43: 'sinks[1].rotate_bytes' must be a byte size like 500k, 1 MB or 64MiB of at least 4 KiB",
        "15:15: 'sinks[2].type' must be one of file, influx, do-nothing, not 'fil'",
        "the key 'sinks[2].directory' is required", "'sinks[3].org' is required",
        "16:58: 'sinks[3].database' is of InfluxDB 1.x"})
    EXPECT_THAT(told, HasSubstr(error));
}

TEST_F(RefusalTest, ASinkIsKeptAsTheAttributesThatAreNotTheDefault) {
  ASSERT_TRUE(replace_file(env_.files, "/token", as_bytes("s3cret\n")).ok());
  write(
      "instance: x\ndata_dir: /data\nsinks:\n"
      "  - {name: a, type: influx, url: 'http://h', version: 2, org: o, token: 'file:/token', gzip: true,"
      " timeout: 1.5m, batch_size_bytes: 64k}\n"
      "  - {name: b, type: do-nothing}\n");
  const auto config = load_receiver_config(env_.files, "/c.yaml");
  ASSERT_TRUE(config.ok()) << config.error().text();
  EXPECT_EQ(config->sinks[0].connector, (Attributes{"influxdb-sink",
                                                    {{"url", "http://h"},
                                                     {"version", "2"},
                                                     {"org", "o"},
                                                     {"token", "file:/token"},
                                                     {"timeout", "1m30s"},
                                                     {"batch.size-bytes", "64k"}}}));
  EXPECT_EQ(config->sinks[1].connector, (Attributes{"do-nothing-connector", {}}));
}

TEST_F(RefusalTest, ASecretOfASinkThatCannotBeReadIsRefusedAndLeftToTheUnitWhenOnlyChecked) {
  const auto sink = [](const std::string& password) {
    return "sinks:\n  - {name: a, type: influx, url: 'http://h', user: u, password: '" + password + "'}\n";
  };
  EXPECT_THAT(receiver("", sink("file:/none")),
              HasSubstr("/c.yaml:6:55: cannot read the secret 'sinks[0].password': /none"));
  EXPECT_EQ(receiver("", sink("credential:p")), "ok");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("'sinks[0].password' is given by systemd")));
}

TEST_F(RefusalTest, ALinkNeedsAHostToConnectTo) {
  write(std::string("instance: x\ndata_dir: /data\nlink: {remote: ':9780'}\n") + kSource);
  EXPECT_THAT(verdict(load_sender_config(env_.files, "/c.yaml")), HasSubstr("'link.remote' must name"));
}

// ---- warnings

TEST_F(RefusalTest, NoSourceNoSinkAndNobodyAllowedAreWarnings) {
  EXPECT_EQ(sender("", ""), "ok");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("warning: 'sources' names no source")));
  EXPECT_EQ(receiver("", "sinks: []\n"), "ok");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("/c.yaml:5:1: warning: 'sinks' names no sink")));
  EXPECT_EQ(receiver("  allow: []\n"), "ok");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("/c.yaml:5:3: warning: 'link.allow' names nobody")));
  EXPECT_EQ(sender(""), "ok");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(RefusalTest, ACredentialThatOnlyTheUnitHasIsAWarningToTheCheckAndAnErrorToTheDaemon) {
  EXPECT_EQ(sender("",
                   "sources:\n  - name: a\n    type: influx-http\n    listen: 0.0.0.0:8086\n    tokens:\n"
                   "      - secret: credential:http-token\n"),
            "ok");
  EXPECT_THAT(warnings_,
              ElementsAre(AllOf(HasSubstr("'sources[0].tokens[0].secret'"), HasSubstr("LoadCredential="))));
  const std::string refused = verdict(load_sender_config(env_.files, "/c.yaml", YamlUse::kRun));
  EXPECT_THAT(refused, AllOf(HasSubstr("cannot read the secret"), Not(HasSubstr("a token is empty"))));
}

TEST_F(RefusalTest, AQuoteThatIsNotClosedIsNotAnotherConfiguration) {
  EXPECT_THAT(
      receiver("", "sinks:\n  - name: a\n    type: file\n    directory: '/x/out\n    # it's swallowed\n"),
      HasSubstr("/c.yaml:8:16: the quote (') is not closed on this line"));
}

// ---- the programs

class CheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/tidegate-check-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  int run(const std::string& command) {
    text_.clear();
    FILE* pipe =
        popen(("timeout 30 env -u CREDENTIALS_DIRECTORY " TIDEGATE_BIN "/" + command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return -1;
    std::array<char, 4096> bytes{};
    for (std::size_t n; (n = fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) text_.append(bytes.data(), n);
    const int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(dir_ + "/" + name) << text;
    return dir_ + "/" + name;
  }

  std::string dir_, text_;
};

TEST_F(CheckTest, SaysOkWithItsWarningsAndEndsWithZero) {
  const std::string path = file("s.yaml", "instance: x\ndata_dir: /data\nlink: {remote: 'a:1'}\n");
  EXPECT_EQ(run("tidegate check " + path), 0);
  EXPECT_THAT(text_, AllOf(HasSubstr("warning: 'sources' names no source"), HasSubstr(path + ": ok\n")));
}

TEST_F(CheckTest, RefusesWithTwo) {
  EXPECT_EQ(run("tidegate check " + file("r.yaml", "instance: ''\ndata_dir: /data\nsinks: []\n")), 2);
  EXPECT_THAT(text_, HasSubstr("r.yaml:1:1: 'instance' must be"));
  EXPECT_EQ(run("tidegate check " + dir_ + "/none.yaml"), 2);
}

TEST_F(CheckTest, WrongOptionsEndWithTwoInEveryProgram) {
  for (const auto* program : {"tidegate", "tidegate-sender", "tidegate-receiver"}) {
    EXPECT_EQ(run(std::string(program) + " --no-such-option"), 2) << text_;
    EXPECT_EQ(run(std::string(program) + " --help"), 0);
    EXPECT_THAT(text_, HasSubstr("xit codes: 0")) << program;
    EXPECT_EQ(run(std::string(program) + " --version"), 0);
  }
}

TEST_F(CheckTest, ADaemonRefusesTheDataDirectoryOfTheOtherRole) {
  std::filesystem::create_directories(dir_ + "/data");
  file("data/role", "sender\n");
  const std::string path =
      file("r.yaml", "instance: x\ndata_dir: " + dir_ + "/data\nlink: {listen: '127.0.0.1:0'}\nsinks: []\n");
  EXPECT_EQ(run("tidegate-receiver " + path), 1);
  EXPECT_THAT(text_, HasSubstr("belongs to a sender"));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/data/journal")) << "nothing in it was touched";
}

}  // namespace
}  // namespace tidegate
