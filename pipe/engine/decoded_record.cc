// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/decoded_record.h"

namespace tidegate {

DecodedRecordPtr DecodedRecord::make(Record record, std::uint64_t limit) {
  const std::shared_ptr<DecodedRecord> out(new DecodedRecord(std::move(record)));
  if (Status decoded = out->decode(limit); !decoded.ok()) out->trouble_ = std::move(decoded).error();
  return out;
}

Status DecodedRecord::decode(std::uint64_t limit) {
  const RecordMeta& meta = record_.meta;
  TG_TRY(decoded_, decode_container(meta.codec, meta.decoded_size, record_.container, limit));
  const std::size_t batches = decoded_.batches.size();
  if (meta.hashes.size() != batches || std::size_t{meta.skip} + meta.count != batches) {
    return make_error(ErrorCode::kDamaged, "the record speaks of " + std::to_string(meta.skip) + " + " +
                                               std::to_string(meta.count) + " batches and " +
                                               std::to_string(meta.hashes.size()) +
                                               " hashes, its container holds " + std::to_string(batches));
  }
  summaries_.resize(meta.count);
  for (std::size_t i = 0; i < meta.count; ++i) {
    const ByteView canonical = decoded_.batches[meta.skip + i];
    if (xxh3_128(canonical) != meta.hashes[meta.skip + i]) {
      bad_.emplace(i, make_error(ErrorCode::kChecksum, "content hash of a batch in the journal"));
      continue;
    }
    auto summary = summarize(canonical);
    if (summary.ok()) {
      summaries_[i] = *summary;
    } else {
      bad_.emplace(i, std::move(summary).error());
    }
  }
  return {};
}

std::optional<Error> DecodedRecord::trouble(std::size_t index) const {
  if (trouble_) return trouble_;
  const auto bad = bad_.find(index);
  return bad == bad_.end() ? std::nullopt : std::optional(bad->second);
}

}  // namespace tidegate
