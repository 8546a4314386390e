// SPDX-License-Identifier: Apache-2.0
// What both kinds of machine have: a disk, boots and deaths.
#include "tests/sim/machines.h"

namespace tidegate::sim {

Machine::Machine(Site* site, std::string name, std::uint64_t seed)
    : site_(site), name_(std::move(name)), clock_(site->queue), random_(seed) {
  files_.on_effect([this](EffectKind kind, const std::string& path) {
    if (effects_left_ == 0 || --effects_left_ != 0) return;
    site_->say(name_ + ": dies at an effect on " + path);
    throw SimCrash{kind == EffectKind::kWrite ? random_.below(64) : 0};
  });
}

void Machine::boot_after(Nanos delay) {
  if (retired_) return;
  site_->queue->after(delay, kWorld, [this] { boot(); });
}

void Machine::boot() {
  if (up() || retired_) return;
  process_ = site_->queue->spawn();
  Status started;
  site_->queue->run_as(process_, [&] { started = start(); });
  if (started.ok()) {
    trouble_.clear();
    site_->say(name_ + ": up");
    return;
  }
  trouble_ = started.error().text();
  site_->say(name_ + ": cannot start: " + trouble_);
  die(false, (1 + boots_++ % 8) * 2 * kSecond);
}

void Machine::die(bool power, Nanos down) {
  if (!up()) return;
  const ProcessId dead = process_;
  process_ = kWorld;
  effects_left_ = 0;
  site_->queue->kill(dead);
  site_->device->process_died(dead, power);
  if (power) {
    files_.power_cut(random_);
  } else {
    files_.process_crash();
  }
  destroy();
  if (trouble_.empty()) trouble_ = "down";
  boot_after(down);
}

void Machine::crash(Nanos down) {
  if (up()) site_->say(name_ + ": killed");
  die(false, down);
}

void Machine::power_cut(Nanos down) {
  site_->say(name_ + ": loses power");
  if (up()) return die(true, down);
  files_.power_cut(random_);
}

void Machine::crash_at_effect(std::uint64_t n, Nanos down) {
  effects_left_ = n;
  down_after_crash_ = down;
}

void Machine::on_sim_crash() {
  die(random_.chance(1, 3), down_after_crash_);
}

void Machine::run_command(const std::function<void()>& command) {
  const Nanos down = 2 * kSecond;
  const std::uint64_t planned = effects_left_;
  die(false, down);
  effects_left_ = planned;
  process_ = site_->queue->spawn();
  down_after_crash_ = down;
  site_->queue->run_as(process_, command);
  die(false, down);
}

void Machine::restart_soon(const std::string& why) {
  site_->say(name_ + ": stops to be started again: " + why);
  site_->queue->after(0, kWorld, [this, process = process_] {
    if (process == process_) die(false, 2 * kSecond);
  });
}

void Machine::say_recovered() {
  const RecoveryReport& report = journal()->recovery();
  torn_bytes_ += report.torn_bytes;
  damaged_ranges_ += report.damaged.size();
  if (!site_->trace) return;
  std::string text = name_ + ": journal " + journal()->id().hex().substr(0, 8) + " holds " +
                     std::to_string(journal()->first_lsn()) + ".." + std::to_string(journal()->head());
  if (report.torn_bytes > 0) text += ", " + std::to_string(report.torn_bytes) + " torn bytes are cut";
  for (const DamagedRange& d : report.damaged)
    text += ", damaged " + std::to_string(d.first) + ".." + std::to_string(d.last) + " (" + d.reason + ")";
  site_->say(text);
}

std::string Machine::space_text() const {
  if (journal() == nullptr) return {};
  const JournalSpace space = journal()->space();
  std::string out = "journal of " + std::to_string(space.used) + " bytes";
  if (space.quota != 0) out += " (quota " + std::to_string(space.quota) + ")";
  for (const SegmentInfo& s : journal()->segments())
    out += ", " + std::to_string(s.first_lsn) + ".." + std::to_string(s.last_lsn) + ": " +
           std::to_string(s.bytes) + (s.sealed ? "" : " open");
  return out;
}

void Machine::retire() {
  site_->say(name_ + ": switched off for good");
  retired_ = true;
  die(false, 0);
}

void Machine::every(Nanos interval, std::function<void()> task) {
  site_->queue->after(interval, process_, [this, interval, task = std::move(task)]() mutable {
    task();
    if (up()) every(interval, std::move(task));
  });
}

Machine::Image Machine::image() {
  Image out;
  if (journal() != nullptr) {
    out.head = journal()->head();
    out.journal = journal()->id();
  }
  out.disk = files_.snapshot(true);
  return out;
}

void Machine::roll_back(const Image& image, Nanos down) {
  site_->say(name_ + ": its disk becomes that of an earlier moment, up to " + std::to_string(image.head));
  die(false, down);
  files_.restore(image.disk);
  rolled_back_once_ = true;
  rolled_back(image);
}

void Machine::replace_disk(Nanos down) {
  site_->say(name_ + ": its disk is replaced by an empty one");
  die(false, down);
  files_.wipe();
  replaced();
}

bool Machine::rot() {
  // Once in the life of a process: a second bit may hit the very evidence that speaks of the first.
  if (journal() == nullptr || rotted_in_ == process_) return false;
  // A quiet moment: damage in a tail that no mark vouches for yet cannot be told from a torn write.
  bool marked = false;
  site_->queue->run_as(process_, [&] {
    marked = journal()->sync().ok() && journal()->mark_idle().ok();
    tell_synced();
    const auto newest = files_.open(journal()->segments().back().path, OpenMode::kReadWrite);
    marked = marked && newest.ok() && (*newest)->sync().ok();
  });
  if (!marked) {  // a planned disk error hit this sync, of which the process knows nothing
    power_cut(5 * kSecond);
    return false;
  }
  const auto segments = journal()->segments();
  const SegmentInfo& segment = segments[random_.below(segments.size())];
  if (segment.bytes < 512) return false;
  const std::uint64_t at = 64 + random_.below(segment.bytes - 64);
  if (!files_.rot(segment.path, at, static_cast<unsigned>(random_.below(8))).ok()) return false;
  site_->say(name_ + ": a bit of " + segment.path + " flips at " + std::to_string(at));
  rotted_in_ = process_;
  rotted();
  return true;
}

}  // namespace tidegate::sim
