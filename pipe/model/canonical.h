// SPDX-License-Identifier: Apache-2.0
// Inside pipe/model: what the files that write and read canonical bytes share. Format: doc/batch_format.md.
#pragma once

#include "pipe/model/value_type.h"

namespace tidegate::canonical {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeaderFixed = 8;  // version, kind, unit, flags, length of the source

constexpr bool is_known(EventKind kind) {
  return kind >= EventKind::kRows && kind <= EventKind::kStatistics;
}
// The kinds whose bodies hold event times; all others are written with unit 0.
constexpr bool has_time(EventKind kind) {
  return kind == EventKind::kRows || kind == EventKind::kDeletion || kind == EventKind::kGap;
}

void write_head(ByteWriter& writer, EventKind kind, const BatchHead& head);
// The head of known and unknown kinds; the reader then stands at the body.
Result<BatchHead> parse_head(ByteReader& reader, EventKind* kind);
// Refuses what is left over, and a body that ended too early.
Status check_end(const ByteReader& reader);

// Walks a body of one of the kinds 2 to 9 without keeping anything and fills `summary` (events and time
// range).
Status summarize_list(ByteReader& reader, EventKind kind, BatchSummary* summary);
// The same for kind 1, with every rule of order and redundancy.
Status summarize_rows(ByteReader& reader, BatchSummary* summary);

}  // namespace tidegate::canonical
