// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/far_chains.h"

#include <algorithm>

namespace tidegate {
namespace {

constexpr std::size_t kMaxCheckpoints = 4096;  // summaries kept in memory

// Calls f(n, chain) for what a record holds of the line.
template <class F>
void chains_of(const RecordMeta& meta, const std::vector<LineCut>& cuts, F f) {
  const Origin& origin = *meta.origin;
  if (origin.first_seq == 0) return;  // the event of a fork or a gap
  const Seq end = line_end(cuts, origin.generation);
  Hash128 chain = origin.chain_before;
  for (std::size_t i = 0; i < meta.hashes.size() && origin.first_seq + i <= end; ++i) {
    chain = chain_next(chain, origin.first_seq + i, meta.hashes[i]);
    f(origin.first_seq + i, chain);
  }
}

// Calls f for every readable envelope of LSNs first..last.
template <class F>
Status for_each_meta(const Journal& journal, Lsn first, Lsn last, F f) {
  Journal::Reader reader = journal.reader(first);
  while (reader.position() <= last) {
    auto meta = reader.next_meta();
    if (!meta.ok()) {
      const auto behind = meta.error().sequence;
      if (!behind || *behind <= reader.position()) return std::move(meta).error();
      reader.skip_to(*behind);
      continue;
    }
    if (!meta->has_value()) break;
    f(**meta);
  }
  return {};
}

}  // namespace

const CheckpointSummary* FarChains::checkpoint(std::uint64_t segment) {
  if (const auto it = checkpoints_.find(segment); it != checkpoints_.end()) return &it->second;
  const auto bytes = journal_->segment_checkpoint(segment);
  if (!bytes.ok()) return nullptr;
  auto summary = summarize_checkpoint(*bytes);
  if (!summary.ok()) return nullptr;
  summary->near.clear();
  if (checkpoints_.size() >= kMaxCheckpoints) checkpoints_.clear();
  return &(checkpoints_[segment] = std::move(*summary));
}

Seq FarChains::stored_before(std::uint64_t segment, const Key& key, const std::vector<LineCut>& cuts) {
  const CheckpointSummary* summary = checkpoint(segment);
  if (summary == nullptr) return 0;
  const auto it = summary->far.find(key);
  return it == summary->far.end() ? 0 : std::min(it->second.position, line_end(cuts, it->second.generation));
}

void FarChains::scan(const Key& key, const FarStreamView& stream, Lsn first, Lsn last) {
  cached_.clear();
  cached_key_ = key;
  cached_generation_ = stream.now.generation;
  // What cannot be read is not kept: the answer is then "not known".
  (void)for_each_meta(*journal_, first, last, [&](const RecordMeta& meta) {
    if (!meta.origin || Key(meta.origin->journal, meta.origin->stream) != key) return;
    chains_of(meta, stream.cuts, [&](Seq n, const Hash128& chain) { cached_.push(n, chain); });
  });
}

std::optional<Hash128> FarChains::at(const Id& journal, StreamId id, Seq n) {
  const auto stream = state_->far_stream(journal, id);
  if (!stream) return std::nullopt;
  const Key key(journal, id);
  if (cached_key_ == key && cached_generation_ == stream->now.generation) {
    if (const auto chain = cached_.at(n)) return chain;
  }
  const std::vector<SegmentInfo> segments = journal_->segments();
  for (std::size_t i = segments.size(); i-- > 0;) {
    if (stored_before(segments[i].number, key, stream->cuts) >= n) continue;
    // n was stored in this segment. A checkpoint may already speak of the first records behind it.
    Lsn last = segments[i].last_lsn;
    if (i + 1 < segments.size()) {
      if (const CheckpointSummary* next = checkpoint(segments[i + 1].number))
        last = std::max(last, next->head_lsn);
    }
    scan(key, *stream, segments[i].first_lsn, std::min(last, journal_->durable_lsn()));
    return cached_.at(n);
  }
  return std::nullopt;
}

Result<std::map<std::pair<Id, StreamId>, ChainRuns>> FarChains::held_up_to(Lsn last) {
  std::map<Key, ChainRuns> out;
  std::map<Key, FarStreamView> views;
  for (const auto& [journal, id] : state_->far_streams())
    views[{journal, id}] = *state_->far_stream(journal, id);
  TG_CHECK(for_each_meta(*journal_, journal_->first_lsn(), last, [&](const RecordMeta& meta) {
    if (!meta.origin) return;
    const Key key(meta.origin->journal, meta.origin->stream);
    const auto view = views.find(key);
    if (view == views.end()) return;
    const Seq position = view->second.now.position;
    chains_of(meta, view->second.cuts, [&](Seq n, const Hash128& chain) {
      if (n <= position && n + kChainWindow >= position) out[key].push(n, chain);
    });
  }));
  return out;
}

}  // namespace tidegate
