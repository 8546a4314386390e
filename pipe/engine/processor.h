// SPDX-License-Identifier: Apache-2.0
// Processor: the middle of a pipe. Turns each batch into any number of batches: none, one, several.
//
// Deterministic: what comes out depends only on the attributes, the state last restored and the batches given
// since, never on a clock, on chance or on how the calls are spaced. After a crash the engine restores an
// older state, gives the same batches again and leaves out what the outbox already has: batch by batch the
// same bytes must come out. One instance serves one pipe, from one thread at a time.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "pipe/model/batch.h"

namespace tidegate {

struct BatchView {
  ByteView canonical;  // valid during the call
  const BatchSummary& summary;
};

class Processor {
 public:
  virtual ~Processor() = default;
  virtual std::string describe() const = 0;  // for status, no secrets
  // false: every batch comes out as it went in, and the pipe needs no outbox.
  virtual bool changes_bytes() const { return true; }
  // Appends to `out`. Kinds it has no use for (deletions, gaps, opaque requests, files ...) pass unchanged
  // unless its documentation says otherwise. An error stops the pipe and names what cannot be processed;
  // state and `out` are then of no further use.
  virtual Status process(const BatchView& batch, std::vector<Batch>* out) = 0;
  // Everything that later output depends on, in a versioned form; empty where there is none.
  virtual Bytes state() const { return {}; }
  // kMalformed for a state that is not of this processor, these attributes or a known version.
  virtual Status restore(ByteView state) = 0;
};

}  // namespace tidegate
