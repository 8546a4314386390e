// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/row_output.h"

namespace tidegate {

Batch copy_of(const BatchView& batch) {
  return {to_bytes(batch.canonical), xxh3_128(batch.canonical), batch.summary};
}

Status RowOutput::begin(ByteView canonical, std::vector<Batch>* out) {
  EventKind kind{};
  TG_TRY(BatchHead head, read_head(canonical, &kind));
  const bool same = head.unit == head_.unit && head.flags == head_.flags && head.source == head_.source;
  if (!builder_ || !same) {
    head_ = std::move(head);
    builder_.emplace(head_.source, head_.unit, head_.flags);
  }
  out_ = out;
  return {};
}

Status RowOutput::add(const RowView& row) {
  Status status = builder_->add(row);
  if (status.ok() || status.error().code != ErrorCode::kTooLarge || builder_->empty()) return status;
  out_->push_back(builder_->build());
  return builder_->add(row);
}

void RowOutput::finish() {
  if (!builder_->empty()) out_->push_back(builder_->build());
}

}  // namespace tidegate
