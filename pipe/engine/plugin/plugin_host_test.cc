// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <thread>

#include "pipe/engine/plugin/plugin_for_test.h"

namespace tidegate {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using tgplugin::ChildProcess;
using tgplugin::FrameType;

class LoadPluginInfo : public test::PluginTest {
 protected:
  std::string refusal(const std::string& path) const {
    const Result<PluginInfo> info = load(path);
    return info.ok() ? "(nothing is refused)" : info.error().text();
  }
};

TEST_F(LoadPluginInfo, SaysWhatThePluginSaysOfItself) {
  const PluginInfo info = plugin("bad_processor.so").info;
  EXPECT_EQ(info.kind, PluginKind::kProcessor);
  EXPECT_EQ(info.name, "bad-processor");
  EXPECT_EQ(info.type, "External");
  EXPECT_EQ(info.class_name, "bad-processor 0.1");
  EXPECT_EQ(info.jar, "bad_processor.so");
  EXPECT_EQ(plugin("lines_connector.so").info.kind, PluginKind::kConnector);
}

TEST_F(LoadPluginInfo, AttributesAreCheckedAsThoseOfABuiltInPlugin) {
  const PluginInfo info = plugin("bad_processor.so").info;
  const auto check = [&](const std::string& name, const std::string& value) {
    const Status status = check_attributes({"bad-processor", {{name, value}}}, info);
    return status.ok() ? "" : status.error().detail;
  };
  EXPECT_EQ(check("colour", "GREEN"), "");
  EXPECT_THAT(check("colour", "blue"), HasSubstr("red"));
  EXPECT_EQ(check("level", "9"), "");
  EXPECT_THAT(check("level", "10"), AllOf(HasSubstr("level"), testing::Not(HasSubstr("\"10\""))));  // secret
  EXPECT_THAT(check("color", "red"), HasSubstr("colour"));
  EXPECT_EQ(check("plugin.time-limit", "2s"), "");
  EXPECT_THAT(check("plugin.memory-limit", "1"), HasSubstr("plugin.memory-limit"));
}

TEST_F(LoadPluginInfo, WhatIsNoPluginIsRefusedWithTheReasonAndThePath) {
  EXPECT_THAT(refusal(write("text.so", "this is no ELF file\n")),
              AllOf(HasSubstr("text.so"), HasSubstr("cannot be used")));
  EXPECT_THAT(refusal(install("no_entry.so")), HasSubstr("does not export tg_plugin_v1"));
  EXPECT_THAT(refusal(install("other_version.so")), HasSubstr("version 2 of the interface"));
  EXPECT_THAT(refusal(install("bad_name.so")), HasSubstr("its name is \"Bad Name!?\""));
  EXPECT_THAT(refusal(install("no_functions.so")), HasSubstr("needs create(), destroy() and process()"));
}

TEST_F(LoadPluginInfo, AStructIsReadOnlyAsFarAsItsSizeSays) {
  EXPECT_EQ(refusal(install("short_struct.so")), "(nothing is refused)");
}

TEST_F(LoadPluginInfo, ACrashWhileItIsLoadedIsAnErrorAndNoMore) {
  EXPECT_THAT(refusal(install("crash_at_load.so")), HasSubstr("was killed by signal 6 (SIGABRT)"));
}

TEST_F(LoadPluginInfo, AFileThatWasExchangedSinceItWasRegisteredIsRefused) {
  const std::string path = install("scale_processor.so");
  const std::string then = find_plugin_file(folder_, "scale_processor.so").value().sha256;
  EXPECT_TRUE(load_plugin_info(runtime_, path, then).ok());
  std::ofstream(path, std::ios::app) << "x";
  EXPECT_EQ(load_plugin_info(runtime_, path, then).error().code, ErrorCode::kIdentity);
}

TEST_F(LoadPluginInfo, AHostProgramThatIsNotThereIsAWrongInstallation) {
  runtime_.program = "/nowhere/tidegate-plugin-host";
  const Error error = load(install("scale_processor.so")).error();
  EXPECT_EQ(error.code, ErrorCode::kInvalidConfiguration);
  EXPECT_THAT(error.text(), HasSubstr("/nowhere/tidegate-plugin-host"));
}

TEST_F(LoadPluginInfo, AHostProgramThatIsAnotherProgramIsToldByWhatItSays) {
  runtime_.program = "/bin/echo";
  EXPECT_THAT(refusal(install("scale_processor.so")), HasSubstr("exited with status 0"));
}

TEST_F(LoadPluginInfo, TheHostRefusesToRunByHand) {
  const std::string command = std::string(TIDEGATE_PLUGIN_HOST) + " 1000 </dev/null 2>/dev/null 3<&-";
  const int status = std::system(command.c_str());  // NOLINT: a fixed command
  EXPECT_EQ(WEXITSTATUS(status), 2);
}

// ---- the process itself

class HostProcess : public test::PluginTest {
 protected:
  ChildProcess spawn(const std::string& path) {
    const tgplugin::Descriptor file = tgplugin::open_plugin_file(path, {}).value();
    return ChildProcess::spawn(TIDEGATE_PLUGIN_HOST, {"1073741824"}, file).value();
  }
  static void send(const ChildProcess& child, FrameType type, ByteView body) {
    Bytes frame;
    tgplugin::append_frame(&frame, type, body);
    EXPECT_EQ(::send(child.socket(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  }
  static Nanos in(Nanos time) { return real_env().clock->now() + time; }
  static std::string status_line(pid_t pid, const std::string& name) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(name)) return line;
    }
    return {};
  }
  // The plugin's info has arrived: the limits are set, the plugin is loaded.
  static void wait_for_bytes(const ChildProcess& child) {
    std::uint8_t byte = 0;
    const Nanos deadline = in(20 * kSecond);
    while (::recv(child.socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
      ASSERT_LT(real_env().clock->now(), deadline);
      std::this_thread::yield();
    }
  }
};

TEST_F(HostProcess, EndsByItselfWhenTheDaemonIsGone) {
  ChildProcess child = spawn(install("scale_processor.so"));
  child.hang_up();
  EXPECT_TRUE(child.wait_until(*real_env().clock, in(20 * kSecond)));
}

TEST_F(HostProcess, EndsWhenTheDaemonIsGoneAlsoWhileThePluginHangs) {
  ChildProcess child = spawn(install("bad_processor.so"));
  send(child, FrameType::kCreate, tgplugin::encode(tgplugin::Settings{{"fault", "hang"}, {"in", "create"}}));
  wait_for_bytes(child);
  child.hang_up();
  EXPECT_TRUE(child.wait_until(*real_env().clock, in(20 * kSecond)));
}

TEST_F(HostProcess, HasNoDescriptorsNoPrivilegesAndNoSecretsOfTheDaemon) {
  ::setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1);
  const tgplugin::Descriptor inherited(::dup(0));  // not close-on-exec
  const ChildProcess child = spawn(install("scale_processor.so"));
  ::unsetenv("CREDENTIALS_DIRECTORY");
  wait_for_bytes(child);
  const std::string folder = "/proc/" + std::to_string(child.pid());
  std::vector<std::string> open;
  DIR* const list = ::opendir((folder + "/fd").c_str());
  ASSERT_NE(list, nullptr);
  while (const dirent* entry = ::readdir(list)) {
    if (entry->d_name[0] != '.') open.emplace_back(entry->d_name);
  }
  ::closedir(list);
  EXPECT_THAT(open, testing::UnorderedElementsAre("0", "1", "2", "3"));
  std::ifstream file(folder + "/environ");
  const std::string environment{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_THAT(environment, testing::Not(HasSubstr("CREDENTIALS")));
  EXPECT_EQ(status_line(child.pid(), "NoNewPrivs:"), "NoNewPrivs:\t1");
}

TEST_F(HostProcess, ARequestThatNoDaemonSendsEndsIt) {
  ChildProcess child = spawn(install("scale_processor.so"));
  send(child, FrameType::kDeliver, {});
  EXPECT_TRUE(child.wait_until(*real_env().clock, in(20 * kSecond)));
  child.end();
  EXPECT_EQ(child.how_it_ended(), "exited with status 1");
}

}  // namespace
}  // namespace tidegate
