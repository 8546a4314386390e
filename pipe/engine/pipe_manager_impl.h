// SPDX-License-Identifier: Apache-2.0
// Inside PipeManager: one pipe with everything that it is made of.
#pragma once

#include "pipe/engine/pipe_manager.h"

namespace tidegate {

inline constexpr Nanos kRateSpan = 60 * kSecond;  // the speed is that of the last minute

// How fast a pipe goes through a journal, while there is something to do and nothing that it waits for.
class PipeManager::Speed {
 public:
  void sample(Nanos now, Lsn position, bool rests) {
    const bool not_yet_moved = samples_.size() == 1 && samples_.front().position == position;
    if (rests || not_yet_moved) samples_.clear();
    samples_.push_back({now, position});
    while (samples_.size() > 2 && samples_[1].at <= now - kRateSpan) samples_.pop_front();
  }
  // Seconds for so many events; nothing: it has not moved.
  std::optional<double> seconds_for(std::uint64_t events, EventCounter& counter) const {
    if (events == 0) return 0;
    if (samples_.empty() || samples_.back().position <= samples_.front().position) return std::nullopt;
    const auto done = counter.between(samples_.front().position, samples_.back().position);
    if (done == 0) return std::nullopt;
    const double span = static_cast<double>(samples_.back().at - samples_.front().at);
    return static_cast<double>(events) / static_cast<double>(done) * span / static_cast<double>(kSecond);
  }

 private:
  struct Sample {
    Nanos at = 0;
    Lsn position = 0;
  };
  std::deque<Sample> samples_;
};

struct PipeManager::Managed {
  PipeSpec spec;
  bool history = true, realtime = true;
  RealtimeMode mode = RealtimeMode::kHybrid;
  bool essential = true;
  std::uint64_t max_bytes = 0;  // of a best-effort pipe; 0: as long as there is room
  Nanos max_age = 0;
  std::unique_ptr<Outbox> outbox;  // null: the daemon's journal is carried as it is
  std::unique_ptr<EventCounter> outbox_events;
  std::atomic<Lsn> outbox_stored{0};  // position of its last snapshot
  std::atomic<bool> outbox_started{false};
  std::unique_ptr<PipeRun> stage;  // fills the outbox
  std::unique_ptr<Carrier> carrier;
  std::atomic<bool> running{false};
  std::atomic<bool> stop_told{false};

  mutable std::mutex mutex;  // guards what follows
  std::string message;       // why it does not run
  Speed read;                // of what the daemon's journal has
  Speed drained;             // of what the outbox has

  CarriedJournal carried(const CarriedJournal& main) const {
    if (!outbox) return main;
    return {&outbox->journal(), &outbox->state(), &outbox->records(), true};
  }
  Lsn position() const { return stage ? stage->status().position : carrier ? carrier->status().position : 0; }
  void say(std::string text) {
    const std::scoped_lock lock(mutex);
    message = std::move(text);
  }
  std::string said() const {
    const std::scoped_lock lock(mutex);
    return message;
  }
};

}  // namespace tidegate
