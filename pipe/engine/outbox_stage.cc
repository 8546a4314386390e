// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/outbox_stage.h"

#include <algorithm>

#include "pipe/engine/record_source.h"

namespace tidegate {
namespace {

constexpr std::size_t kRecordBatches = 256;
constexpr std::size_t kRecordBytes = 1 << 20;
constexpr std::size_t kMaxHops = 8;

// The journal that a batch came through before this one joins the list, as on a link.
std::vector<Id> hops_behind(const RecordMeta& meta) {
  std::vector<Id> hops = meta.hops;
  if (!meta.origin || meta.origin->first_seq == 0) return hops;
  if (std::ranges::find(hops, meta.origin->journal) != hops.end()) return hops;
  if (hops.size() >= kMaxHops) hops.erase(hops.begin());
  hops.push_back(meta.origin->journal);
  return hops;
}

}  // namespace

OutboxStage::OutboxStage(Outbox& outbox, std::unique_ptr<Selector> selector,
                         std::unique_ptr<Processor> processor, std::uint64_t key, Hooks hooks)
    : outbox_(outbox),
      selector_(std::move(selector)),
      processor_(std::move(processor)),
      key_(key),
      hooks_(std::move(hooks)) {}

std::string OutboxStage::describe() const {
  return selector_->describe() + ", " + processor_->describe() + ", into the outbox";
}

// The pipe calls it again after each trouble; what was processed by then stays processed.
Status OutboxStage::open(Lsn position, ByteView) {
  if (broken_)
    return make_error(ErrorCode::kRefused,
                      "the processors have failed: start the pipe, which makes them anew");
  if (ready_) return {};
  TG_TRY(const auto snapshot, outbox_.load());
  if (snapshot) {
    if (snapshot->position != position)
      return make_error(ErrorCode::kInternal, "the outbox stands at LSN " +
                                                  std::to_string(snapshot->position) + ", its pipe at " +
                                                  std::to_string(position));
    if (!snapshot->processor_state.empty() && snapshot->processor_key == key_)
      TG_CHECK(processor_->restore(snapshot->processor_state));
    repeated_ = snapshot->outbox_lsn;
  }
  written_before_ = outbox_.journal().head();
  processed_ = position;
  ready_ = true;
  return {};
}

Status OutboxStage::process(const DeliverableBatch& batch) {
  selected_.clear();
  made_.clear();
  TG_CHECK(selector_->select(batch.lsn, {batch.canonical, batch.summary}, &selected_));
  for (const Batch& selected : selected_)
    TG_CHECK(processor_->process({selected.canonical, selected.summary}, &made_));
  const std::vector<Id> hops = hops_behind(*batch.record);
  for (Batch& made : made_) outputs_.push_back({std::move(made), hops});
  processed_ = batch.lsn;
  return {};
}

DeliverResult OutboxStage::deliver(const std::vector<DeliverableBatch>& batches,
                                   const std::function<bool()>&) {
  DeliverResult result;
  const auto fail = [&](const Error& error, DeliverResult::Kind kind) {
    result.kind = kind;
    result.message = error.text();
    return result;
  };
  for (const DeliverableBatch& batch : batches) {
    if (batch.lsn <= processed_) continue;
    if (const Status processed = process(batch); !processed.ok()) {
      broken_ = true;
      return fail(Error(processed.error()).at_sequence(batch.lsn), DeliverResult::Kind::kStop);
    }
    if (outputs_.size() < kRecordBatches) continue;
    if (const Status written = write_outputs(); !written.ok())
      return fail(written.error(), DeliverResult::Kind::kRetry);
  }
  Status durable = write_outputs();
  if (durable.ok() && !synced_) durable = outbox_.journal().sync();
  if (!durable.ok()) return fail(durable.error(), DeliverResult::Kind::kRetry);
  if (!std::exchange(synced_, true)) hooks_.on_output();
  for (const DeliverableBatch& batch : batches) result.written_events += batch.summary.events;
  return result;
}

Status OutboxStage::write_outputs() {
  while (!outputs_.empty()) {
    if (repeated_ < written_before_) {
      TG_TRY(const bool there, repeats(outputs_.front()));
      if (there) {
        ++repeated_;
        outputs_.pop_front();
        continue;
      }
      if (repeated_ < written_before_) TG_CHECK(tell_unlike());
    }
    TG_CHECK(write_record());
  }
  return {};
}

// Is it what the outbox already has at the next LSN? Steps over what the outbox itself wrote there (the gap
// event of a stream that begins anew behind damage). What can no longer be read was there.
Result<bool> OutboxStage::repeats(const Output& output) {
  while (repeated_ < written_before_) {
    const Lsn lsn = repeated_ + 1;
    auto record = outbox_.journal().reader(lsn).next();
    if (!record.ok()) {
      const ErrorCode code = record.error().code;
      if (code == ErrorCode::kTrimmed || code == ErrorCode::kDamaged) return true;
      return std::move(record).error();
    }
    if (!*record || (*record)->meta.first_lsn > lsn) return true;
    const RecordMeta& meta = (*record)->meta;
    const std::size_t index = meta.skip + (lsn - meta.first_lsn);
    if (meta.hashes[index] == output.batch.hash) return true;
    TG_TRY(const DecodedContainer decoded,
           decode_container(meta.codec, meta.decoded_size, (*record)->container, kLargestDecodedRecord));
    EventKind kind{};
    TG_CHECK(read_head(decoded.batches[index], &kind));
    if (kind != EventKind::kGap) return false;
    ++repeated_;
  }
  return false;
}

Status OutboxStage::tell_unlike() {
  TG_CHECK(hooks_.on_unlike("what the processors made of the same batches again differs from LSN " +
                            std::to_string(repeated_ + 1) + " of the outbox on: LSNs up to " +
                            std::to_string(written_before_) + " may come twice"));
  repeated_ = written_before_;
  return {};
}

Status OutboxStage::write_record() {
  std::vector<ByteView> views;
  RecordMeta meta;
  meta.hops = outputs_.front().hops;
  std::size_t bytes = 0;
  for (const Output& output : outputs_) {
    const bool full = views.size() == kRecordBatches || bytes + output.batch.canonical.size() > kRecordBytes;
    if (!views.empty() && (full || output.hops != meta.hops)) break;
    views.emplace_back(output.batch.canonical);
    bytes += output.batch.canonical.size();
    const BatchSummary& summary = output.batch.summary;
    meta.hashes.push_back(output.batch.hash);
    meta.events += summary.events;
    meta.values += summary.values;
    if (summary.kind != EventKind::kRows) continue;
    const std::int64_t first = to_nanos(summary.time_min, summary.unit);
    const std::int64_t last = to_nanos(summary.time_max, summary.unit);
    const bool none = meta.time_min > meta.time_max;
    meta.time_min = none ? first : std::min(meta.time_min, first);
    meta.time_max = none ? last : std::max(meta.time_max, last);
  }
  TG_TRY(const Container container, encode_container(Codec::kList, views));
  meta.count = static_cast<std::uint32_t>(views.size());
  meta.codec = container.codec;
  meta.decoded_size = container.decoded_size;
  TG_TRY([[maybe_unused]] const Lsn lsn, outbox_.journal().append(std::move(meta), container.bytes));
  synced_ = false;
  outputs_.erase(outputs_.begin(), outputs_.begin() + static_cast<std::ptrdiff_t>(views.size()));
  return {};
}

Result<std::optional<StoredPosition>> OutboxStage::get(const std::string&) {
  TG_TRY(auto snapshot, outbox_.load());
  if (!snapshot) return std::optional<StoredPosition>();
  return std::optional(StoredPosition{snapshot->position, std::move(snapshot->pipe_state)});
}

// After a failed write the processors are ahead of the pipe, and there is no state of `lsn` to store: the
// next run that is delivered stores a later one.
Status OutboxStage::set(const std::string&, Lsn lsn, ByteView state) {
  if (broken_ || (ready_ && lsn != processed_)) return {};
  OutboxSnapshot snapshot;
  snapshot.position = lsn;
  snapshot.outbox_lsn = repeated_ < written_before_ ? repeated_ : outbox_.journal().durable_lsn();
  snapshot.pipe_state = to_bytes(state);
  snapshot.processor_key = key_;
  if (ready_) snapshot.processor_state = processor_->state();
  TG_CHECK(outbox_.save(std::move(snapshot)));
  hooks_.on_stored(lsn);
  return {};
}

}  // namespace tidegate
