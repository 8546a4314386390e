// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/run_reader.h"

#include <algorithm>

namespace tidegate {

struct Run::Held {
  DecodedRecordPtr record;
  RecordMeta made_meta;  // of a gap event of our own
  Batch made;
};

Run::Run() = default;
Run::Run(Run&&) noexcept = default;
Run& Run::operator=(Run&&) noexcept = default;
Run::~Run() = default;

bool RunReader::add(DecodedRecordPtr record, Run* run, std::optional<Error>* why) {
  const RecordMeta& meta = record->meta();
  const Lsn last = std::min(meta.last_lsn(), options_.end);
  if (std::ranges::find_first_of(meta.hops, options_.own_ids) != meta.hops.end()) {
    run->own_hops += last - run->last;
    run->last = last;
    return true;
  }
  for (Lsn lsn = std::max(run->last + 1, meta.first_lsn); lsn <= last; ++lsn) {
    const std::size_t index = lsn - meta.first_lsn;
    if (auto trouble = record->trouble(index)) return *why = std::move(trouble), false;
    const DeliverableBatch batch{lsn, record->canonical(index), record->summary(index), &meta};
    if (run->held.empty() || run->held.back()->record != record) {
      run->held.push_back(std::make_unique<Run::Held>());
      run->held.back()->record = record;
    }
    run->bytes += batch.canonical.size();
    run->batches.push_back(batch);
    run->last = lsn;
  }
  return true;
}

Run RunReader::lost(Loss loss) const {
  Run run;
  auto held = std::make_unique<Run::Held>();
  GapEvent gap;
  gap.reason = loss.reason;
  gap.from = loss.first;
  gap.to = loss.last;
  held->made = make_batch({TimeUnit::kNanosecond, 0, "tidegate"}, std::vector{gap});
  held->made_meta.first_lsn = loss.last;
  held->made_meta.count = 1;
  held->made_meta.hashes = {held->made.hash};
  run.batches.push_back({loss.last, held->made.canonical, held->made.summary, &held->made_meta});
  run.held.push_back(std::move(held));
  run.last = loss.last;
  run.loss = std::move(loss);
  return run;
}

// One record more. Nothing: the durable end.
Result<bool> RunReader::extend(Run* run, std::optional<Loss>* loss) {
  const Lsn wanted = run->last + 1;
  auto record = source_.next();
  if (!record.ok()) {
    const ErrorCode code = record.error().code;
    if (code != ErrorCode::kTrimmed && code != ErrorCode::kDamaged) return std::move(record).error();
    *loss = source_.loss_at(wanted, record.error());
    return false;
  }
  if (*record == nullptr) return false;
  if (const Lsn first = (*record)->meta().first_lsn; first > wanted) {
    *loss = Loss{wanted, first - 1, kLossDamaged, "the journal goes on at LSN " + std::to_string(first)};
    return false;
  }
  std::optional<Error> why;
  if (add(std::move(*record), run, &why)) return true;
  if (is_sound(*why)) return std::move(*why).at_sequence(run->last + 1);
  *loss = Loss{run->last + 1, run->last + 1, kLossDamaged, why->text()};
  return false;
}

Result<std::optional<Run>> RunReader::next(Lsn position, std::size_t wanted_bytes) {
  if (cursor_ != position + 1) source_.seek(position + 1);
  cursor_ = 0;
  Run run;
  run.last = position;
  while (run.bytes < wanted_bytes && run.last < options_.end) {
    std::optional<Loss> loss;
    const Result<bool> extended = extend(&run, &loss);
    if (extended.ok() && *extended) continue;
    // What came before it is delivered first; the trouble is met again by the next call.
    if (run.last > position && (!extended.ok() || loss.has_value())) return std::optional(std::move(run));
    if (!extended.ok()) return extended.error();
    if (loss.has_value()) {
      loss->last = std::min(loss->last, options_.end);
      return std::optional(lost(std::move(*loss)));
    }
    break;
  }
  if (run.last == position) return std::optional<Run>();
  cursor_ = run.last + 1;  // at the end nothing is read any more
  return std::optional(std::move(run));
}

}  // namespace tidegate
