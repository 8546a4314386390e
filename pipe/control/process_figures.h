// SPDX-License-Identifier: Apache-2.0
// What this process uses: anonymous resident memory (page cache and files left out) and CPU time. Any thread.
#pragma once

#include <cstdint>

namespace tidegate {

struct ProcessFigures {
  std::uint64_t anonymous_bytes = 0;  // RssAnon of /proc/self/status
  double cpu_seconds = 0;             // user and system
};
ProcessFigures process_figures();

}  // namespace tidegate
