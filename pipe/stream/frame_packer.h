// SPDX-License-Identifier: Apache-2.0
// FramePacker: cuts the batches of a stream into frames. Consecutive calls read on where the last one ended:
// a record is read and decoded once, into however many frames it is cut.
//
// Memory: the decoded batches of one frame (at most max_decoded, or one batch) and of one record more. One
// thread.
#pragma once

#include <deque>
#include <memory>

#include "pipe/model/container.h"
#include "pipe/stream/near_fold.h"
#include "protocol/native/sender_store.h"

namespace tidegate {

constexpr std::size_t kMaxFrameBatches = 16'384;

struct PackOptions {
  int zstd_level = 1;
  std::uint64_t max_decoded = 16ULL << 20;  // canonical bytes gathered into one frame
  std::uint64_t decode_limit = 1ULL << 30;  // of a record of our own journal
};

class FramePacker {
 public:
  FramePacker(const Journal* journal, PackOptions options) : journal_(journal), options_(options) {}

  // Batches of LSNs from..last as a frame of at most `max_body` bytes; at least one batch. The caller fills
  // in first_seq and previous_chain. kTrimmed, kDamaged: `from` cannot be read; Error::sequence is the first
  // LSN that may be.
  Result<OutgoingBatches> pack(Lsn from, Lsn last, std::size_t max_body);

 private:
  struct Decoded {  // what the views of its batches point into
    Record record;
    DecodedContainer container;
    std::vector<Id> hops;
  };
  struct Piece {
    Lsn lsn = 0;
    ByteView canonical;
    Hash128 hash;
    std::uint64_t events = 0;
    std::shared_ptr<const Decoded> owner;
  };
  Status seek(Lsn from);
  Status read_record();
  Status take_apart(Record record, Lsn wanted);
  // Pieces with the hops of the first one, until `want` canonical bytes are there.
  Status gather(Lsn last, std::uint64_t want);
  std::size_t count_within(Lsn last, std::uint64_t bytes) const;
  std::optional<OutgoingBatches> whole_record(Lsn last, std::size_t max_body);
  Result<OutgoingBatches> encode(std::size_t count);
  void consume(std::size_t count);
  std::vector<Id> hops_of(const RecordMeta& meta) const;

  const Journal* journal_;
  PackOptions options_;
  std::optional<Journal::Reader> reader_;
  std::deque<Piece> pieces_;   // consecutive, the next ones to go
  Lsn next_ = 0;               // the LSN behind the last piece (or of the next one, when there is none)
  std::optional<Error> stop_;  // why there is nothing behind the last piece
  double ratio_ = 1.0;         // bytes of a frame's body per canonical byte, as last seen
};

}  // namespace tidegate
