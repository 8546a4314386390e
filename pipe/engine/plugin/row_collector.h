// SPDX-License-Identifier: Apache-2.0
// Runs in tidegate-plugin-host: what a processor emits for one batch → canonical batches with the head of the
// batch that came in.
#pragma once

#include <optional>
#include <vector>

#include "pipe/engine/tg_plugin_v1.h"
#include "pipe/model/batch.h"

namespace tidegate::tgplugin {

// Keeps the builder's memory from batch to batch. One thread.
class RowCollector {
 public:
  // `input` must live until take().
  Status begin(ByteView input);
  // kInvalidArgument: the series is not sound; kTooLarge: more than kMostOutput bytes or kMostOutputs
  // batches.
  Status emit(const tg_series& series);
  Status emit_input();
  // The outputs in order; empty: the input as it came.
  std::vector<std::optional<Batch>> take();

 private:
  Status check_size(std::size_t more) const;
  Status add_row(const tg_series& series, std::size_t row);
  void finish_batch();

  ByteView input_;
  BatchHead head_;
  std::optional<BatchBuilder> builder_;
  std::vector<std::optional<Batch>> outputs_;
  std::size_t bytes_ = 0;  // of outputs_
  std::vector<TagView> tags_;
  std::vector<FieldView> fields_;
};

}  // namespace tidegate::tgplugin
