// SPDX-License-Identifier: Apache-2.0
// PipeLog: tells the log how a pipe fares. One line when it begins to wait, when it delivers again, when it
// stops and when it is started; not one per attempt. Trouble that lasts is told again every ten minutes, with
// what was seen last. A pipe that falters and recovers in turn is told of at most once a minute. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/env.h"

namespace tidegate {

class PipeLog {
 public:
  static constexpr Nanos kReminder = 600 * kSecond;
  static constexpr Nanos kQuiet = 60 * kSecond;

  explicit PipeLog(const std::string& pipe) : pipe_(pipe) {}

  // An attempt failed for this reason, and is made again by itself.
  void waits(Nanos now, std::string_view why);
  // All is well.
  void goes_on(Nanos now);
  // An operator is needed.
  void stops(std::string_view why);
  // An operator has started it.
  void started();
  // What the journal cannot give any more was skipped.
  void lost(std::string_view what) const;

 private:
  bool trouble_ = false;
  bool told_ = false;  // of this trouble
  Nanos since_ = 0;    // of this trouble
  Nanos told_at_ = 0;  // of this trouble or one before
  bool ever_told_ = false;
  std::uint64_t attempts_ = 0;  // that failed since
  std::string pipe_;
};

}  // namespace tidegate
