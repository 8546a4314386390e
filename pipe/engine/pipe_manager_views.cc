// SPDX-License-Identifier: Apache-2.0
// PipeManager: what pipes hold of the daemon's journal, and what is shown of them.
#include <algorithm>

#include "pipe/engine/pipe_manager_impl.h"

namespace tidegate {

// ---- retention

bool PipeManager::holds(const std::string& name) const {
  const ManagedPtr pipe = find(name);
  return pipe != nullptr && !pipe->outbox && within_budget(*pipe, pipe->carrier->pinned().value_or(0));
}

bool PipeManager::holds_stream(StreamId stream) const {
  const auto near = main_.state->near_stream(stream);
  const ManagedPtr pipe = near ? find(near->label) : nullptr;
  return pipe != nullptr && within_budget(*pipe, near->lsn_of(near->confirmed));
}

bool PipeManager::is_best_effort(const std::string& name) const {
  const ManagedPtr pipe = find(name);
  return pipe != nullptr && !pipe->essential;
}

// A best-effort pipe holds what it has not delivered within its limits; without any, until the journal is
// nearly full.
bool PipeManager::within_budget(const Managed& pipe, Lsn position) const {
  if (pipe.essential) return true;
  const std::vector<SegmentInfo> segments = main_.journal->segments();
  std::uint64_t behind = 0;
  for (const SegmentInfo& segment : segments)
    if (segment.last_lsn > position) behind += segment.bytes;
  if (pipe.max_bytes != 0 && behind > pipe.max_bytes) return false;
  if (pipe.max_age != 0 && position < main_.journal->durable_lsn()) {
    const auto oldest = main_.journal->reader(std::max(position + 1, main_.journal->first_lsn())).next_meta();
    if (oldest.ok() && *oldest &&
        (*oldest)->arrival_micros < env_.clock->wall_micros() - pipe.max_age / kMicrosecond)
      return false;
  }
  const JournalSpace space = main_.journal->space();
  return pipe.max_bytes != 0 || pipe.max_age != 0 || space.quota == 0 || space.used < space.quota / 10 * 9;
}

std::optional<Lsn> PipeManager::read_elsewhere() const {
  std::optional<Lsn> least;
  for (const ManagedPtr& pipe : all()) {
    if (!pipe->outbox || !pipe->outbox_started || !within_budget(*pipe, pipe->outbox_stored)) continue;
    least = std::min(least.value_or(UINT64_MAX), pipe->outbox_stored.load());
  }
  return least;
}

// ---- views

PipeState PipeManager::state_of(const Managed& pipe, std::string* message) const {
  *message = pipe.said();
  if (!pipe.running) return PipeState::kStopped;
  const PipeStatus delivery = pipe.carrier->status();
  if (pipe.stage) {
    const PipeStatus filling = pipe.stage->status();
    const bool finished = filling.message == kHistoryFinished;
    const bool drained = pipe.outbox->journal().durable_lsn() <= delivery.position;
    if (filling.state == PipeState::kStopped && (!finished || drained)) {
      *message = filling.message;
      return PipeState::kStopped;
    }
    if (delivery.message.empty() && !finished) *message = filling.message;
  }
  if (!delivery.message.empty()) *message = delivery.message;
  return delivery.state;
}

PipeManager::Backlog PipeManager::backlog(const Managed& pipe) const {
  Backlog out;
  if (!pipe.carrier) return out;
  Lsn end = main_.journal->durable_lsn();
  if (!pipe.realtime) end = std::min(end, pipe.spec.history_boundary);
  const Lsn from = std::max(pipe.position(), pipe.history ? 0 : pipe.spec.history_boundary);
  out.to_read = from < end ? events_.between(from, end) : 0;
  if (pipe.outbox)
    out.to_drain =
        pipe.outbox_events->between(pipe.carrier->status().position, pipe.outbox->journal().durable_lsn());
  return out;
}

// An outbox is filled and drained at the same time: the slower of the two decides.
std::optional<double> PipeManager::seconds_for(const Managed& pipe, const Backlog& backlog) const {
  const std::scoped_lock lock(pipe.mutex);
  const auto read = pipe.read.seconds_for(backlog.to_read, events_);
  if (!pipe.outbox || !read) return read;
  const auto drained = pipe.drained.seconds_for(backlog.to_drain, *pipe.outbox_events);
  return drained ? std::max(read, drained) : drained;
}

PipeView PipeManager::view(const Managed& pipe) const {
  PipeView out;
  out.name = pipe.spec.name;
  out.state = state_of(pipe, &out.message);
  out.history_boundary = pipe.spec.history_boundary;
  if (!pipe.carrier) return out;
  const PipeStatus delivery = pipe.carrier->status();
  out.warning = delivery.warning;
  out.position = pipe.position();
  const Backlog waiting = backlog(pipe);
  out.remaining_events = waiting.to_read + waiting.to_drain;
  out.carried_by = pipe.outbox ? "outbox, then " + delivery.connector : delivery.connector;
  out.written_events = delivery.counters.written_events;
  out.dead_letters = delivery.counters.dead_letters;
  out.lost_lsns = delivery.counters.lost_lsns;
  out.newest_event_ns = delivery.newest_event_ns;
  out.remaining_seconds = seconds_for(pipe, waiting);
  return out;
}

std::vector<PipeView> PipeManager::pipes() const {
  std::vector<PipeView> out;
  for (const ManagedPtr& pipe : all()) out.push_back(view(*pipe));
  return out;
}

std::vector<PipeManager::Detail> PipeManager::details() const {
  std::vector<Detail> out;
  for (const ManagedPtr& pipe : all()) {
    Detail detail;
    detail.spec = pipe->spec;
    detail.state = state_of(*pipe, &detail.message);
    if (pipe->carrier) detail.delivery = pipe->carrier->status();
    if (pipe->stage) detail.outbox = pipe->stage->status();
    if (pipe->outbox) detail.outbox_bytes = pipe->outbox->journal().space().used;
    out.push_back(std::move(detail));
  }
  return out;
}

std::vector<std::string> PipeManager::sharing_connector(const std::string& name) const {
  std::vector<std::string> out;
  const ManagedPtr one = find(name);
  if (!one) return out;
  for (const ManagedPtr& pipe : all())
    if (pipe->spec.connector == one->spec.connector) out.push_back(pipe->spec.name);
  return out;
}

}  // namespace tidegate
