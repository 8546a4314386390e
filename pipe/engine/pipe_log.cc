// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/pipe_log.h"

#include "base/log.h"
#include "base/yaml.h"

namespace tidegate {
namespace {

constexpr std::string_view kArea = "pipe";

std::string whole_seconds(Nanos time) {
  return show_duration(time / kSecond * kSecond);
}

}  // namespace

void PipeLog::waits(Nanos now, std::string_view why) {
  if (!trouble_) {
    trouble_ = true;
    told_ = false;
    since_ = now;
    attempts_ = 0;
  }
  ++attempts_;
  if (ever_told_ && now - told_at_ < (told_ ? kReminder : kQuiet)) return;
  std::string line = pipe_ + (told_ ? " still waits, for " + whole_seconds(now - since_) : " waits");
  line += ": " + std::string(why) + "; it tries again by itself, its data stays in the journal meanwhile";
  log_warning(kArea, line);
  told_ = ever_told_ = true;
  told_at_ = now;
}

void PipeLog::goes_on(Nanos now) {
  if (!trouble_) return;
  trouble_ = false;
  if (!told_) return;
  log_info(kArea, pipe_ + " delivers again, after " + whole_seconds(now - since_) + " and " +
                      std::to_string(attempts_) + (attempts_ == 1 ? " failed attempt" : " failed attempts"));
}

void PipeLog::stops(std::string_view why) {
  trouble_ = false;
  log_error(kArea, pipe_ + " is STOPPED: " + std::string(why) + "; START PIPE " + pipe_ +
                       " starts it when that is mended");
}

void PipeLog::started() {
  log_info(kArea, pipe_ + " is started by an operator");
}

void PipeLog::lost(std::string_view what) const {
  log_warning(kArea, pipe_ + " " + std::string(what) + "; it is in the ledger, delivery goes on behind it");
}

}  // namespace tidegate
