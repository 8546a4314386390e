// SPDX-License-Identifier: Apache-2.0
// The notes that the stream layer writes into a journal, as values with encode and decode. Format:
// doc/stream_state.md.
//
// Every body begins with kNoteVersion; fields() names the rest in its order on disk. Values are absolute
// (never "plus one"), so that a note folded twice changes nothing.
#pragma once

#include <optional>
#include <string>
#include <tuple>

#include "pipe/journal/journal.h"
#include "pipe/stream/chain_runs.h"
#include "pipe/stream/codec.h"
#include "protocol/native/format.h"

namespace tidegate {

constexpr std::uint8_t kNoteVersion = 1;
constexpr std::size_t kMaxNoteText = 64 << 10;  // labels, names, reasons
constexpr std::size_t kMaxPipeState = 1 << 20;  // connector state of one pipe

enum class NoteType : std::uint8_t {
  // the sending side
  kSession = 16,
  kStreamCreated = 17,
  kStreamDropped = 18,
  kConfirmed = 19,
  kNearFork = 20,
  kChainMark = 21,
  kTrimSpan = 22,
  kStreamClosed = 23,
  kRequestMarks = 24,
  kStreamReserved = 25,
  // the receiving side
  kFarSession = 32,
  kFarStreamOpen = 33,
  kFarFork = 34,
  kFarGap = 35,
  kFarEnd = 36,
  kFarApprove = 37,
  kFarChains = 38,
  // both
  kPipePosition = 48,
  kPipeDropped = 49,
  kLedger = 50
};
static_assert(static_cast<int>(NoteType::kSession) >= 16, "below 16: the journal's own");

struct SessionNote {
  static constexpr NoteType kType = NoteType::kSession;
  std::uint64_t session = 0;
  static constexpr auto fields() {
    using N = SessionNote;
    return std::tuple(&N::session);
  }
};

// Numbers the batches from first_lsn on. The chain speaks of the batches up to `as_of`: those behind it must
// be among the last kRecentHashes of the journal when the note is folded, else it is without effect (and is
// written again).
struct StreamCreatedNote {
  static constexpr NoteType kType = NoteType::kStreamCreated;
  StreamId stream = 0;
  std::string label;
  Lsn first_lsn = 0;  // of seq 1; 0: the next one when the note is folded
  Lsn end_lsn = 0;    // last one that is numbered; 0: open
  Lsn as_of = 0;
  Hash128 chain_zero;
  Hash128 chain;  // of the seq of as_of
  static constexpr auto fields() {
    using N = StreamCreatedNote;
    return std::tuple(&N::stream, &N::label, &N::first_lsn, &N::end_lsn, &N::as_of, &N::chain_zero,
                      &N::chain);
  }
};
// The number is given away: a stream of another journal (an outbox) is carried by this one's links.
struct StreamReservedNote {
  static constexpr NoteType kType = NoteType::kStreamReserved;
  StreamId stream = 0;
  std::string label;
  static constexpr auto fields() {
    using N = StreamReservedNote;
    return std::tuple(&N::stream, &N::label);
  }
};
struct StreamDroppedNote {
  static constexpr NoteType kType = NoteType::kStreamDropped;
  StreamId stream = 0;
  std::string reason;
  static constexpr auto fields() {
    using N = StreamDroppedNote;
    return std::tuple(&N::stream, &N::reason);
  }
};
// The stream ends at end_lsn, though later batches were numbered: the chain behind it is lost.
struct StreamClosedNote {
  static constexpr NoteType kType = NoteType::kStreamClosed;
  StreamId stream = 0;
  Lsn end_lsn = 0;
  Hash128 chain;  // of the seq of end_lsn
  static constexpr auto fields() {
    using N = StreamClosedNote;
    return std::tuple(&N::stream, &N::end_lsn, &N::chain);
  }
};
struct ConfirmedNote {
  static constexpr NoteType kType = NoteType::kConfirmed;
  StreamId stream = 0;
  Seq confirmed = 0;
  Hash128 chain;
  static constexpr auto fields() {
    using N = ConfirmedNote;
    return std::tuple(&N::stream, &N::confirmed, &N::chain);
  }
};
struct NearForkNote {  // generation, base = confirmed
  static constexpr NoteType kType = NoteType::kNearFork;
  StreamId stream = 0;
  std::uint32_t generation = 0;
  Seq base = 0;
  Hash128 chain;
  static constexpr auto fields() {
    using N = NearForkNote;
    return std::tuple(&N::stream, &N::generation, &N::base, &N::chain);
  }
};
struct ChainMarkNote {
  static constexpr NoteType kType = NoteType::kChainMark;
  StreamId stream = 0;
  Seq seq = 0;
  Hash128 chain;
  static constexpr auto fields() {
    using N = ChainMarkNote;
    return std::tuple(&N::stream, &N::seq, &N::chain);
  }
};
// What a trim takes away, for the gap that may have to be declared one day.
struct TrimSpan {
  static constexpr NoteType kType = NoteType::kTrimSpan;
  Lsn first = 0, last = 0;
  std::uint64_t events = 0;
  std::int64_t time_min = 0, time_max = -1;  // min > max: no time
  bool operator==(const TrimSpan&) const = default;
  static constexpr auto fields() {
    using N = TrimSpan;
    return std::tuple(&N::first, &N::last, &N::events, &N::time_min, &N::time_max);
  }
};

// Parts of producers' requests that are stored, and those whose producer knows it (request_marks.h).
struct RequestMarksNote {
  static constexpr NoteType kType = NoteType::kRequestMarks;
  std::int64_t wall_micros = 0;
  Lsn rows_lsn = 0;        // the rows of `stored` are there when the journal reaches this LSN
  Bytes stored, answered;  // 16 bytes each mark
  static constexpr auto fields() {
    using N = RequestMarksNote;
    return std::tuple(&N::wall_micros, &N::rows_lsn, &N::stored, &N::answered);
  }
};

struct FarSessionNote {
  static constexpr NoteType kType = NoteType::kFarSession;
  Id sender, journal;
  std::uint64_t session = 0, nonce = 0;
  std::string label;
  static constexpr auto fields() {
    using N = FarSessionNote;
    return std::tuple(&N::sender, &N::journal, &N::session, &N::nonce, &N::label);
  }
};
struct FarStreamOpenNote {
  static constexpr NoteType kType = NoteType::kFarStreamOpen;
  Id journal;
  StreamId stream = 0;
  std::uint32_t generation = 0;
  Seq base = 0;
  Hash128 base_chain;
  std::string label;
  static constexpr auto fields() {
    using N = FarStreamOpenNote;
    return std::tuple(&N::journal, &N::stream, &N::generation, &N::base, &N::base_chain, &N::label);
  }
};
struct FarForkNote {
  static constexpr NoteType kType = NoteType::kFarFork;
  Id journal;
  StreamId stream = 0;
  std::uint32_t generation = 0;
  Seq base = 0;
  Hash128 base_chain;
  Seq old_last = 0;
  bool operator==(const FarForkNote&) const = default;
  static constexpr auto fields() {
    using N = FarForkNote;
    return std::tuple(&N::journal, &N::stream, &N::generation, &N::base, &N::base_chain, &N::old_last);
  }
};
struct FarGapNote {
  static constexpr NoteType kType = NoteType::kFarGap;
  Id journal;
  StreamId stream = 0;
  std::uint32_t generation = 0;
  Seq from = 0, to = 0;  // as declared
  Seq position_before = 0;
  Hash128 chain_after;
  std::uint8_t reason = 0;  // as in the frame, without the 128 of the event
  std::uint64_t events = 0;
  std::int64_t time_min = 0, time_max = 0;
  bool operator==(const FarGapNote&) const = default;
  static constexpr auto fields() {
    using N = FarGapNote;
    return std::tuple(&N::journal, &N::stream, &N::generation, &N::from, &N::to, &N::position_before,
                      &N::chain_after, &N::reason, &N::events, &N::time_min, &N::time_max);
  }
};
struct FarEndNote {
  static constexpr NoteType kType = NoteType::kFarEnd;
  Id journal;
  StreamId stream = 0;
  std::string reason;
  static constexpr auto fields() {
    using N = FarEndNote;
    return std::tuple(&N::journal, &N::stream, &N::reason);
  }
};
struct FarApproveNote {  // an operator lets this journal speak for the sender
  static constexpr NoteType kType = NoteType::kFarApprove;
  Id sender, journal;
  static constexpr auto fields() {
    using N = FarApproveNote;
    return std::tuple(&N::sender, &N::journal);
  }
};

// Chains whose records are about to be trimmed; they go into every checkpoint from now on, while n >=
// position - 65,536. At most kChainWindow of them: 1 MiB.
struct FarChainsNote {
  static constexpr NoteType kType = NoteType::kFarChains;
  Id journal;
  StreamId stream = 0;
  ChainRuns chains;
  static constexpr auto fields() {
    using N = FarChainsNote;
    return std::tuple(&N::journal, &N::stream, &N::chains);
  }
};

struct PipePositionNote {
  static constexpr NoteType kType = NoteType::kPipePosition;
  std::string name;
  Lsn lsn = 0;
  Bytes state;
  static constexpr auto fields() {
    using N = PipePositionNote;
    return std::tuple(&N::name, &N::lsn, &N::state);
  }
};
struct PipeDroppedNote {
  static constexpr NoteType kType = NoteType::kPipeDropped;
  std::string name;
  static constexpr auto fields() {
    using N = PipeDroppedNote;
    return std::tuple(&N::name);
  }
};

// A note's body, for Journal::append_note(N::kType, ...).
template <class N>
Bytes encode_note(const N& note) {
  Bytes out{kNoteVersion};
  stream_codec::PutFields put(out);
  stream_codec::all(put, note);
  return out;
}

// Nothing when the body is not exactly one note of this kind.
template <class N>
std::optional<N> decode_note(ByteView body) {
  if (body.empty() || body[0] != kNoteVersion) return std::nullopt;
  N note;
  stream_codec::GetFields get(body.subspan(1),
                              std::is_same_v<N, PipePositionNote> ? kMaxPipeState : kMaxNoteText);
  stream_codec::all(get, note);
  if (!get.finished()) return std::nullopt;
  return note;
}

}  // namespace tidegate
