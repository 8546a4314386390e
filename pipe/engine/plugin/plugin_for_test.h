// SPDX-License-Identifier: Apache-2.0
// For tests that run plugins: a directory of its own with the plugins of tests/plugins, the lines of the log,
// and after every test the proof that no process and no descriptor stayed behind.
#pragma once

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/real_env.h"
#include "pipe/engine/plugin/plugin_file.h"
#include "pipe/engine/plugin/plugin_host.h"

#ifndef TIDEGATE_PLUGINS  // set by tidegate_runs_plugins() in CMake; the header must compile alone, too
#define TIDEGATE_PLUGINS ""
#define TIDEGATE_PLUGIN_HOST ""
#endif

namespace tidegate::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // signals and memory are the sanitizer's then
#else
constexpr bool kSanitized = false;
#endif

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

inline std::vector<pid_t> child_processes() {
  std::vector<pid_t> out;
  DIR* const folder = ::opendir("/proc");
  while (const dirent* entry = ::readdir(folder)) {
    std::ifstream status("/proc/" + std::string(entry->d_name) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line == "PPid:\t" + std::to_string(::getpid())) out.push_back(std::atoi(entry->d_name));
    }
  }
  ::closedir(folder);
  return out;
}

class PluginTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/tidegate-plugins-XXXXXX";
    folder_ = ::mkdtemp(name);
    set_log_sink([this](LogLevel level, std::string_view, std::string_view text) {
      const std::scoped_lock lock(mutex_);
      log_.emplace_back(std::to_string(static_cast<int>(level)) + " " + std::string(text));
    });
    descriptors_ = open_descriptors();
  }
  void TearDown() override {
    set_log_sink({});
    EXPECT_EQ(open_descriptors(), descriptors_);
    int status = 0;
    EXPECT_EQ(::waitpid(-1, &status, WNOHANG), -1) << "a process stayed behind";
    EXPECT_EQ(errno, ECHILD);
    for (const std::string& file : files_) ::unlink(file.c_str());
    EXPECT_EQ(::rmdir(folder_.c_str()), 0) << "something stayed in " << folder_;
  }

  // A path in the test's directory; what is there is removed at the end.
  std::string file(const std::string& name) {
    files_.push_back(folder_ + "/" + name);
    return files_.back();
  }
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = file(name);
    std::ofstream(path, std::ios::binary) << content;
    ::chmod(path.c_str(), 0644);
    return path;
  }
  // A plugin of tests/plugins in the test's directory.
  std::string install(const std::string& name) {
    std::ifstream from(std::string(TIDEGATE_PLUGINS) + "/" + name, std::ios::binary);
    EXPECT_TRUE(from.good()) << name << " is not built";
    return write(name, {std::istreambuf_iterator<char>(from), std::istreambuf_iterator<char>()});
  }
  Result<PluginInfo> load(const std::string& path) const { return load_plugin_info(runtime_, path, {}); }
  ExternalPlugin plugin(const std::string& name) {
    ExternalPlugin out{install(name), {}, {}};
    Result<PluginInfo> info = load(out.path);
    EXPECT_TRUE(info.ok()) << info.error().text();
    if (info.ok()) out.info = std::move(info).value();
    return out;
  }
  std::vector<std::string> log() {
    const std::scoped_lock lock(mutex_);
    return log_;
  }

  std::string folder_;
  PluginRuntime runtime_{TIDEGATE_PLUGIN_HOST, real_env().clock};

 private:
  std::vector<std::string> files_;
  std::mutex mutex_;
  std::vector<std::string> log_;
  std::size_t descriptors_ = 0;
};

}  // namespace tidegate::test
