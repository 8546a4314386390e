// SPDX-License-Identifier: Apache-2.0
// RowOutput: the rows that come out of one input batch, in one batch of the same source, unit and flags;
// in several only where one would pass the size limit of a batch.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "pipe/engine/processor.h"
#include "pipe/model/batch.h"

namespace tidegate {

// A batch that goes through as it came.
Batch copy_of(const BatchView& batch);

// for_each_row for a `use` that can fail: Status use(const RowView&).
template <class Use>
Status try_each_row(ByteView canonical, Use use) {
  Status result;
  TG_CHECK(for_each_row(canonical, [&](const RowView& row) {
    result = use(row);
    return result.ok();
  }));
  return result;
}

// Keeps the builder's memory from batch to batch. After an error it is of no further use.
class RowOutput {
 public:
  // `canonical`: the batch of rows that comes in. `out` must live until finish().
  Status begin(ByteView canonical, std::vector<Batch>* out);
  const BatchHead& head() const { return head_; }  // of the batch that came in
  Status add(const RowView& row);
  void finish();

 private:
  BatchHead head_;
  std::optional<BatchBuilder> builder_;
  std::vector<Batch>* out_ = nullptr;
};

}  // namespace tidegate
