// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/process_figures.h"

#include <sys/resource.h>

#include <fstream>
#include <string>

namespace tidegate {

ProcessFigures process_figures() {
  ProcessFigures out;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "RssAnon:") continue;
    status >> out.anonymous_bytes;
    out.anonymous_bytes *= 1024;
    break;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  out.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return out;
}

}  // namespace tidegate
