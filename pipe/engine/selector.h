// SPDX-License-Identifier: Apache-2.0
// Selector: the extractor end of a pipe: which batches of the journal, and which rows of them, are its data.
//
// Deterministic in the sense of processor.h: what comes out depends only on the attributes, the LSN and the
// batch. One thread at a time.
#pragma once

#include <memory>
#include <string>

#include "pipe/engine/processor.h"
#include "pipe/journal/journal.h"

namespace tidegate {

class Selector {
 public:
  virtual ~Selector() = default;
  virtual std::string describe() const = 0;
  // Every batch comes out as it went in: the pipe needs no outbox for it.
  virtual bool passes_all() const = 0;
  // Appends to `out`: nothing, or what is left of the batch.
  virtual Status select(Lsn lsn, const BatchView& batch, std::vector<Batch>* out) = 0;
};

enum class RealtimeMode : std::uint8_t {
  kLog,    // what is synced is shipped at once
  kFile,   // closed segments only
  kHybrid  // log, and file while far behind
};

// What the attributes of an extractor mean for a pipe. History is at or below the boundary, realtime above
// it.
struct ExtractPlan {
  bool history = true, realtime = true;
  RealtimeMode mode = RealtimeMode::kHybrid;
  std::unique_ptr<Selector> selector;
};

}  // namespace tidegate
