// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/near_chains.h"

#include <algorithm>

namespace tidegate {
namespace {

constexpr std::size_t kMaxAnchors = 1 << 16;  // per stream; 64 bytes each at most
constexpr Seq kAnchorEvery = 256;             // while running

}  // namespace

Seq trimmed_seq(const NearStream& stream, Lsn first_lsn) {
  return std::min(stream.seq_of(first_lsn - 1), stream.last_possible());
}

void NearChains::learn(StreamId stream, Seq n, const Hash128& chain) {
  Anchors& anchors = anchors_[stream];
  if (anchors.size() >= kMaxAnchors) {
    anchors.clear();
    gathered_.clear();
  }
  anchors[n] = chain;
}

void NearChains::gather_segment(std::uint64_t number) {
  if (!gathered_.insert(number).second) return;
  const auto checkpoint = journal_->segment_checkpoint(number);
  if (!checkpoint.ok()) return;
  const auto summary = summarize_checkpoint(*checkpoint);
  if (!summary.ok()) return;
  for (const auto& [id, near] : summary->near) {
    if (near.chain) learn(id, near.head, *near.chain);
    for (const auto& [seq, chain] : near.marks) learn(id, seq, chain);
  }
}

void NearChains::gather(const NearStream& stream, Lsn lsn) {
  const std::vector<SegmentInfo> segments = journal_->segments();
  // The checkpoint of the segment with the LSN, and that of the one behind it, which knows the marks in it.
  auto behind = std::upper_bound(segments.begin(), segments.end(), lsn,
                                 [](Lsn v, const SegmentInfo& segment) { return v < segment.first_lsn; });
  if (behind != segments.begin()) gather_segment(std::prev(behind)->number);
  if (behind != segments.end()) gather_segment(behind->number);
  if (stream.first_lsn >= journal_->first_lsn()) learn(stream.id, 0, stream.chain_zero);
  const bool newest = behind == segments.end();
  if (newest && stream.chain_known) learn(stream.id, stream.head, stream.chain);
  if (!newest && behind != segments.begin()) return;
  // Of the newest segment, or of what was trimmed.
  for (const auto& [seq, chain] : state_->near_marks(stream.id)) learn(stream.id, seq, chain);
}

std::optional<Hash128> NearChains::run(const NearStream& stream, Seq from, Hash128 chain, Seq n) {
  Journal::Reader reader = journal_->reader(stream.lsn_of(from + 1));
  for (Seq seq = from; seq < n;) {
    const auto meta = reader.next_meta();
    if (!meta.ok() || !meta->has_value()) return std::nullopt;
    const RecordMeta& record = **meta;
    for (Lsn lsn = std::max(record.first_lsn, stream.lsn_of(seq + 1)); lsn <= record.last_lsn() && seq < n;
         ++lsn) {
      chain = chain_next(chain, ++seq, record.hashes[record.skip + (lsn - record.first_lsn)]);
      if (seq % kAnchorEvery == 0) learn(stream.id, seq, chain);
    }
  }
  learn(stream.id, n, chain);
  return chain;
}

std::optional<Hash128> NearChains::at(const NearStream& stream, Seq n) {
  if (n == 0) return stream.chain_zero;
  if (n == stream.base) return stream.base_chain;
  if (n == stream.confirmed) return stream.confirmed_chain;
  if (n > stream.head || n < trimmed_seq(stream, journal_->first_lsn())) return std::nullopt;
  const auto nearest = [&]() -> std::optional<std::pair<Seq, Hash128>> {
    const Anchors& anchors = anchors_[stream.id];
    const auto above = anchors.upper_bound(n);
    if (above == anchors.begin()) return std::nullopt;
    return *std::prev(above);
  };
  auto anchor = nearest();
  if (!anchor || n - anchor->first > kAnchorEvery) {
    gather(stream, stream.lsn_of(n));
    anchor = nearest();
  }
  if (!anchor) return std::nullopt;
  return run(stream, anchor->first, anchor->second, n);
}

std::optional<Seq> NearChains::first_known(const NearStream& stream, Seq n) {
  if (at(stream, n)) return n;
  gather(stream, stream.lsn_of(n));
  for (const SegmentInfo& segment : journal_->segments()) {
    if (segment.first_lsn <= stream.lsn_of(n)) continue;
    const Anchors& anchors = anchors_[stream.id];
    if (const auto it = anchors.lower_bound(n);
        it != anchors.end() && stream.lsn_of(it->first) < segment.first_lsn)
      break;
    gather_segment(segment.number);
  }
  gather(stream, journal_->head());
  const Anchors& anchors = anchors_[stream.id];
  const auto it = anchors.lower_bound(n);
  if (it == anchors.end()) return std::nullopt;
  return it->first;
}

}  // namespace tidegate
