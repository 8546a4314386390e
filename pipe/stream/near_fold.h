// SPDX-License-Identifier: Apache-2.0
// The sending side of the fold: the streams that number the batches of this journal. Pure; StreamState locks
// it.
//
// A stream numbers every batch from its first LSN on: seq = lsn - first_lsn + 1. Numbers and chains never
// change, whatever is trimmed, forked or damaged. Where hashes are lost by damage the chain is taken up again
// at the next mark (chain marks, confirmed positions and checkpoints hold some); until then chain_known is
// false.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipe/stream/notes.h"

namespace tidegate {

constexpr std::size_t kRecentHashes = 256;  // of the journal's last batches
constexpr Seq kMarkEvery = 512;             // the fold marks the chain this often
constexpr std::size_t kMaxMarks = 1024;     // per stream: the latest
constexpr std::size_t kMaxTrimSpans = 64;   // older ones are joined
constexpr std::size_t kMaxDamaged =
    256;  // older ones are forgotten here (the journal's folder keeps the pieces)

struct NearStream {
  StreamId id = 0;
  std::string label;
  Lsn first_lsn = 0;  // of seq 1
  Lsn end_lsn = 0;    // last one that is numbered; 0: open
  Seq head = 0;       // last one appended
  bool chain_known = true;
  Hash128 chain;  // chain(head), when known
  Hash128 chain_zero;
  std::uint32_t generation = 1;
  Seq base = 0;
  Hash128 base_chain;
  Seq confirmed = 0;
  Hash128 confirmed_chain;
  static constexpr auto fields() {
    using N = NearStream;
    return std::tuple(&N::id, &N::label, &N::first_lsn, &N::end_lsn, &N::head, &N::chain_known, &N::chain,
                      &N::chain_zero, &N::generation, &N::base, &N::base_chain, &N::confirmed,
                      &N::confirmed_chain);
  }

  Lsn lsn_of(Seq seq) const { return first_lsn + seq - 1; }
  // The seq of an LSN; 0 for one before the stream.
  Seq seq_of(Lsn lsn) const { return lsn < first_lsn ? 0 : lsn - first_lsn + 1; }
  // The last seq there can be: a stream with an end stops there.
  Seq last_possible() const { return end_lsn == 0 ? ~Seq{0} : seq_of(end_lsn); }
  // Everything that it will ever number is confirmed.
  bool finished() const { return end_lsn != 0 && confirmed >= seq_of(end_lsn); }
};

struct LsnRange {
  Lsn first = 0, last = 0;
  static constexpr auto fields() {
    using N = LsnRange;
    return std::tuple(&N::first, &N::last);
  }
  bool operator==(const LsnRange&) const = default;
};

class NearFold {
 public:
  void on_batches(const RecordMeta& meta);  // meta.first_lsn is behind everything folded so far
  void on_damage(Lsn first, Lsn last);      // the same
  void note_damage(Lsn first, Lsn last);    // of what was folded before
  void apply(const SessionNote& note) { session_ = note.session; }
  void apply(const StreamCreatedNote& note);
  void apply(const StreamReservedNote& note);
  void apply(const StreamDroppedNote& note);
  void apply(const StreamClosedNote& note);
  void apply(const ConfirmedNote& note);
  void apply(const NearForkNote& note);
  void apply(const ChainMarkNote& note);
  void apply(const TrimSpan& note);

  Lsn head_lsn() const { return head_lsn_; }
  std::uint64_t session() const { return session_; }
  StreamId next_stream() const { return next_stream_; }
  std::vector<NearStream> streams() const;
  std::optional<NearStream> stream(StreamId id) const;
  std::map<Seq, Hash128> marks(StreamId id) const;
  std::vector<LsnRange> damaged() const { return {damaged_.begin(), damaged_.end()}; }
  std::vector<TrimSpan> trimmed() const { return {trimmed_.begin(), trimmed_.end()}; }

  void save(stream_codec::PutFields& put) const;
  void load(stream_codec::GetFields& get);

 private:
  struct Entry {
    NearStream stream;
    std::map<Seq, Hash128> marks;
  };
  void advance(Entry& entry, Lsn lsn, const Hash128& hash);
  // Runs the chain from (seq, chain) over the recent hashes up to the head; false where they do not reach
  // back so far.
  bool run_recent(Entry& entry, Seq seq, Hash128 chain);
  void mark(Entry& entry, Seq seq, const Hash128& chain);
  Entry* find(StreamId id);

  Lsn head_lsn_ = 0;
  std::uint64_t session_ = 0;
  StreamId next_stream_ = 1;
  std::deque<Hash128> recent_;  // of LSNs head_lsn_ - size + 1 .. head_lsn_
  std::map<StreamId, Entry> streams_;
  std::deque<LsnRange> damaged_;
  std::deque<TrimSpan> trimmed_;
};

}  // namespace tidegate
