// SPDX-License-Identifier: Apache-2.0
#include "base/crash_point.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace tidegate {
namespace {

std::string g_name;
std::atomic<long> g_passages{1};

}  // namespace

namespace internal {

bool g_crash_points_armed = false;

void pass_crash_point(const char* name) {
  if (g_name == name && g_passages.fetch_sub(1) == 1) static_cast<void>(std::raise(SIGKILL));
}

}  // namespace internal

void arm_crash_points() {
  const char* wish = std::getenv("TIDEGATE_CRASH_AT");
  if (wish == nullptr) return;
  g_name = wish;
  if (const std::size_t colon = g_name.find(':'); colon != std::string::npos) {
    g_passages = std::strtol(g_name.c_str() + colon + 1, nullptr, 10);
    g_name.resize(colon);
  }
  internal::g_crash_points_armed = true;
  std::fprintf(stderr, "crash point %s is armed, passage %ld\n", g_name.c_str(), g_passages.load());
}

}  // namespace tidegate
