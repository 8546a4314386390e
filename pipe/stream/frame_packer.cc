// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/frame_packer.h"

#include <algorithm>

namespace tidegate {

// LINK.md R14: the sender adds its own id. Of more than eight the oldest goes: a loop of up to eight journals
// is still seen by each of them.
std::vector<Id> FramePacker::hops_of(const RecordMeta& meta) const {
  std::vector<Id> hops = meta.hops;
  if (hops.size() >= kMaxHops) hops.erase(hops.begin(), hops.end() - (kMaxHops - 1));
  hops.push_back(journal_->id());
  return hops;
}

Status FramePacker::seek(Lsn from) {
  if (!pieces_.empty() && pieces_.front().lsn == from) return {};
  if (pieces_.empty() && reader_ && next_ == from && !stop_) return {};
  pieces_.clear();
  stop_.reset();
  reader_ = journal_->reader(from);
  next_ = from;
  return {};
}

Status FramePacker::read_record() {
  TG_TRY(std::optional<Record> record, reader_->next());
  if (!record)
    return make_error(ErrorCode::kNotDurable, "LSN " + std::to_string(next_) + " is not there yet");
  return take_apart(std::move(*record), next_);
}

// Decodes a record into pieces from `wanted` on, and compares every hash: what is sent must be what was taken
// in.
Status FramePacker::take_apart(Record record, Lsn wanted) {
  auto decoded = std::make_shared<Decoded>();
  decoded->record = std::move(record);
  const RecordMeta& meta = decoded->record.meta;
  const auto damaged = [&](std::string what) {
    return make_error(ErrorCode::kDamaged, "the record of LSNs " + std::to_string(meta.first_lsn) + " to " +
                                               std::to_string(meta.last_lsn()) + " " + std::move(what))
        .at_sequence(meta.last_lsn() + 1);
  };
  auto container =
      decode_container(meta.codec, meta.decoded_size, decoded->record.container, options_.decode_limit);
  if (!container.ok()) return damaged("cannot be decoded: " + container.error().text());
  decoded->container = std::move(*container);
  decoded->hops = hops_of(meta);
  const auto& batches = decoded->container.batches;
  if (batches.size() != meta.hashes.size())
    return damaged("holds another number of batches than its envelope says");
  std::vector<Piece> pieces;
  for (std::size_t i = meta.skip; i < batches.size(); ++i) {
    const std::uint64_t k = i - meta.skip;
    if (meta.first_lsn + k < wanted) continue;
    if (xxh3_128(batches[i]) != meta.hashes[i]) return damaged("holds content that does not match its hash");
    const std::uint64_t events = meta.events * (k + 1) / meta.count - meta.events * k / meta.count;
    pieces.push_back({meta.first_lsn + k, batches[i], meta.hashes[i], events, decoded});
  }
  pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
  next_ = decoded->record.meta.last_lsn() + 1;
  return {};
}

Status FramePacker::gather(Lsn last, std::uint64_t want) {
  std::uint64_t bytes = 0;
  for (const Piece& piece : pieces_) bytes += piece.canonical.size();
  while (!stop_ && next_ <= last && (bytes < want || pieces_.empty())) {
    if (!pieces_.empty() && pieces_.back().owner->hops != pieces_.front().owner->hops) break;
    const std::size_t had = pieces_.size();
    if (Status read = read_record(); !read.ok()) stop_ = std::move(read).error();
    for (std::size_t i = had; i < pieces_.size(); ++i) bytes += pieces_[i].canonical.size();
  }
  if (!pieces_.empty()) return {};
  return stop_ ? *stop_ : make_error(ErrorCode::kInternal, "nothing to pack");
}

std::size_t FramePacker::count_within(Lsn last, std::uint64_t bytes) const {
  std::size_t count = 0;
  std::uint64_t sum = 0;
  for (const Piece& piece : pieces_) {
    sum += piece.canonical.size();
    if (piece.lsn > last || piece.owner->hops != pieces_.front().owner->hops) break;
    if (count > 0 && (sum > bytes || count == kMaxFrameBatches)) break;
    ++count;
  }
  return count;
}

// The first record as it is, when it fits as a whole and there is nothing to gather with it or it fills half
// a frame.
std::optional<OutgoingBatches> FramePacker::whole_record(Lsn last, std::size_t max_body) {
  const Piece& first = pieces_.front();
  const RecordMeta& meta = first.owner->record.meta;
  if (meta.skip != 0 || first.lsn != meta.first_lsn || meta.last_lsn() > last) return std::nullopt;
  const std::size_t body =
      batch_body_overhead(meta.count, first.owner->hops.size()) + first.owner->record.container.size();
  const bool alone = pieces_.size() == meta.count && (stop_ || next_ > last);
  if (body > max_body || (!alone && body < max_body / 2)) return std::nullopt;
  OutgoingBatches out;
  out.storage = first.owner->record.container;
  out.frame.hashes = meta.hashes;
  out.frame.hops = first.owner->hops;
  out.frame.codec = meta.codec;
  out.frame.decoded_size = meta.decoded_size;
  out.frame.container = out.storage;
  out.events = meta.events;
  consume(meta.count);
  return out;
}

Result<OutgoingBatches> FramePacker::encode(std::size_t count) {
  OutgoingBatches out;
  std::vector<ByteView> batches;
  std::uint64_t canonical = 0;
  for (std::size_t i = 0; i < count; ++i) {
    batches.push_back(pieces_[i].canonical);
    canonical += pieces_[i].canonical.size();
    out.frame.hashes.push_back(pieces_[i].hash);
    out.events += pieces_[i].events;
  }
  TG_TRY(Container container, encode_container(Codec::kZstd, batches, options_.zstd_level));
  const std::size_t body =
      batch_body_overhead(count, pieces_.front().owner->hops.size()) + container.bytes.size();
  ratio_ = std::max(0.001, static_cast<double>(body) / static_cast<double>(canonical));
  out.frame.hops = pieces_.front().owner->hops;
  out.frame.codec = container.codec;
  out.frame.decoded_size = container.decoded_size;
  out.storage = std::move(container.bytes);
  out.frame.container = out.storage;
  return out;
}

void FramePacker::consume(std::size_t count) {
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(count));
}

Result<OutgoingBatches> FramePacker::pack(Lsn from, Lsn last, std::size_t max_body) {
  TG_CHECK(seek(from));
  const auto canonical_for = [&](std::size_t body) {
    return std::min<std::uint64_t>(options_.max_decoded,
                                   static_cast<std::uint64_t>(static_cast<double>(body) / ratio_));
  };
  TG_CHECK(gather(last, canonical_for(max_body)));
  if (auto whole = whole_record(last, max_body)) return std::move(*whole);
  std::size_t count = count_within(last, canonical_for(max_body));
  bool grown = false;
  for (;;) {
    TG_TRY(OutgoingBatches out, encode(count));
    const std::size_t body = batch_body_overhead(count, out.frame.hops.size()) + out.storage.size();
    if (body > max_body && count > 1) {
      const double share = static_cast<double>(max_body) / static_cast<double>(body);
      count = std::max<std::size_t>(
          1, std::min<std::size_t>(count - 1, static_cast<std::size_t>(0.95 * share * count)));
      grown = true;
      continue;
    }
    if (!grown &&
        body < max_body / 4 * 3) {  // compresses better than the last frame did: look for more, once
      grown = true;
      TG_CHECK(gather(last, canonical_for(max_body)));
      const std::size_t more = count_within(last, canonical_for(max_body));
      if (more > count) {
        count = more;
        continue;
      }
    }
    consume(count);
    return out;
  }
}

}  // namespace tidegate
