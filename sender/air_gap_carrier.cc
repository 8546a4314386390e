// SPDX-License-Identifier: Apache-2.0
#include "sender/air_gap_carrier.h"

#include <algorithm>

namespace tidegate {

AirGapCarrier::AirGapCarrier(Env env, AirGapLinks& links, AirGapLinks::Link& link, CarrierPlan plan,
                             std::string unavailable)
    : env_(env), links_(links), link_(link), plan_(std::move(plan)), unavailable_(std::move(unavailable)) {
  status_.name = plan_.pipe;
  status_.state = PipeState::kStopped;
}

AirGapCarrier::~AirGapCarrier() {
  (void)links_.in_loop([this] {
    if (own_store_)
      for (const NearStream& stream : streams()) link_.store.forget(stream.id, store_);
    return Status();
  });
}

// ---- streams

std::vector<NearStream> AirGapCarrier::streams() const {
  std::vector<NearStream> out;
  if (store_ == nullptr) return out;
  for (const StreamId id : store_->streams())
    if (store_->label(id) == plan_.pipe) out.push_back(*store_->info(id));
  return out;
}

Status AirGapCarrier::open_store() {
  if (store_ != nullptr) return {};
  if (!plan_.from.outbox) {
    store_ = links_.main_;
    return {};
  }
  NearStoreOptions options;
  options.sender_id = link_.store.sender_id();
  options.link_of = [id = link_.store.journal_id()](const std::string&) { return id; };
  options.give_number = [main = links_.main_](const std::string& label) {
    return main->reserve_stream(label);
  };
  options.gap_allowed = [this](StreamId) { return links_.options_.gap_allowed(plan_.pipe); };
  own_store_ = std::make_unique<NearStore>(env_, plan_.from.journal, plan_.from.state, std::move(options));
  store_ = own_store_.get();
  return store_->recover();
}

// Streams that another link has carried: their chains begin with its journal id. What is confirmed there was
// delivered; this link begins behind it.
Status AirGapCarrier::part_with_strangers(Lsn* start_after) {
  for (const NearStream& stream : streams()) {
    if (stream.chain_zero == chain_zero(link_.store.journal_id(), stream.id)) continue;
    *start_after = std::max(*start_after, stream.lsn_of(stream.confirmed));
    TG_CHECK(store_->drop_stream(stream.id, "the pipe " + plan_.pipe + " has another link now"));
  }
  return {};
}

Status AirGapCarrier::make_streams() {
  Lsn start_after = plan_.start_after;
  TG_CHECK(part_with_strangers(&start_after));
  const std::vector<NearStream> there = streams();
  const bool open = std::ranges::any_of(there, [](const NearStream& s) { return s.end_lsn == 0; });
  const bool with_end = plan_.end_at != UINT64_MAX;
  if (open || (with_end && !there.empty())) return {};
  if (!there.empty()) {  // damage has closed the last one
    TG_TRY([[maybe_unused]] const StreamId heir, store_->ensure_stream(plan_.pipe));
    return {};
  }
  const Lsn first = std::max(start_after + 1, plan_.from.journal->first_lsn());
  if (with_end && first > plan_.end_at) return {};
  if (first > start_after + 1)
    TG_CHECK(
        store_->note({"gap", 0, start_after + 1, first - 1,
                      "pipe " + plan_.pipe + ": these LSNs had been released when it was first started"}));
  TG_TRY([[maybe_unused]] const StreamId made,
         store_->create_stream(plan_.pipe, first, with_end ? plan_.end_at : 0));
  return {};
}

Status AirGapCarrier::take_up() {
  TG_CHECK(open_store());
  for (const NearStream& stream : streams()) link_.store.carry(stream.id, store_, paused_);
  if (links_.running_ && !std::exchange(link_.started, true)) link_.connector->start();
  link_.connector->notify_batches();
  return {};
}

Status AirGapCarrier::take_up_paused() {
  return links_.in_loop([this] { return take_up(); });
}

// ---- Carrier

Status AirGapCarrier::start() {
  if (!unavailable_.empty()) return make_error(ErrorCode::kUnsupported, unavailable_);
  return links_.in_loop([this]() -> Status {
    TG_CHECK(open_store());
    TG_CHECK(make_streams());
    paused_ = false;
    TG_CHECK(take_up());
    look();
    return {};
  });
}

Status AirGapCarrier::stop() {
  return links_.in_loop([this]() -> Status {
    paused_ = true;
    if (store_ == nullptr) TG_CHECK(open_store());
    TG_CHECK(take_up());
    look();
    return {};
  });
}

Status AirGapCarrier::leave() {
  return links_.in_loop([this] { return part_with_streams(); });
}

// The number of each stream is spent. The receiver keeps what it has of them; it is told where the link is
// up.
Status AirGapCarrier::part_with_streams() {
  TG_CHECK(open_store());
  for (const NearStream& stream : streams()) {
    link_.store.forget(stream.id);
    TG_CHECK(
        store_->drop_stream(stream.id, "the pipe " + plan_.pipe + " is dropped or has another connector"));
  }
  link_.connector->notify_batches();
  return {};
}

void AirGapCarrier::tick() {
  if (own_store_) (void)own_store_->maintain();
  look();
  if (own_store_ && status_.position > status_.durable_position) ask_for_room();
}

// An outbox is trimmed up to what is confirmed, and proofs are asked for seldom.
void AirGapCarrier::ask_for_room() {
  const JournalSpace space = plan_.from.journal->space();
  if (space.quota != 0 && space.used > space.quota / 2) link_.connector->request_confirm();
}

// What the link says of the stream that is not finished; the last one where all are.
void AirGapCarrier::look() {
  PipeStatus out;
  out.name = plan_.pipe;
  out.state = paused_ ? PipeState::kStopped : PipeState::kRunning;
  out.position = out.durable_position = plan_.start_after;
  const std::vector<NearStream> all = streams();
  out.connector = "link to " + link_.address;
  bool finished = plan_.end_at != UINT64_MAX;
  for (const NearStream& stream : all) {
    out.durable_position = stream.lsn_of(stream.confirmed);
    out.position = out.durable_position;
    for (const SenderStreamView& view : link_.connector->link().streams()) {
      if (view.stream != stream.id) continue;
      out.position = std::max(out.position, stream.lsn_of(view.soft));
      out.message = view.message;
    }
    out.connector = "stream " + std::to_string(stream.id) + " of the link to " + link_.address;
    finished = finished && stream.finished();
    if (!stream.finished()) break;
  }
  const SenderLink& link = link_.connector->link();
  if (out.message.empty() && link.state() != LinkState::kRun) out.message = link.message();
  if (finished && !paused_) {
    out.state = PipeState::kStopped;
    out.message = kHistoryFinished;
  }
  const std::scoped_lock lock(mutex_);
  status_ = std::move(out);
}

PipeStatus AirGapCarrier::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

std::optional<Lsn> AirGapCarrier::pinned() const {
  std::optional<Lsn> out;
  for (const NearStream& stream : plan_.from.state->near_streams()) {
    if (stream.label != plan_.pipe) continue;
    out = stream.lsn_of(stream.confirmed);
    if (!stream.finished()) break;
  }
  return out;
}

}  // namespace tidegate
