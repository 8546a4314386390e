// SPDX-License-Identifier: Apache-2.0
// RunReader: takes a run of deliverable batches out of a journal, for a pipe.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "pipe/engine/connector.h"
#include "pipe/engine/record_source.h"

namespace tidegate {

// A run of consecutive LSNs. Owns what its batches point into.
struct Run {
  struct Held;
  Run();
  Run(Run&&) noexcept;
  Run& operator=(Run&&) noexcept;
  ~Run();

  std::vector<std::unique_ptr<Held>> held;
  std::vector<DeliverableBatch> batches;  // may be empty where all are skipped
  Lsn last = 0;                           // the pipe's position when the run is delivered
  std::uint64_t bytes = 0;                // of the canonical batches
  std::uint64_t own_hops = 0;             // batches left out because they have been here before
  std::optional<Loss> loss;               // nothing else is in the run then: `batches` is one gap event
};

class RunReader {
 public:
  struct Options {
    std::vector<Id> own_ids;  // batches that came through one of them are left out
    Lsn end = UINT64_MAX;     // nothing behind it is given
  };

  // `source` must outlive it.
  RunReader(RecordSource& source, Options options) : source_(source), options_(options) {}

  // What follows `position`, up to about `wanted_bytes` (at least one record). Nothing at the durable end.
  // LSNs that cannot be read come as a run of their own with `loss` set and one event of kind gap in their
  // place. Errors: kUnsupported and kTooLarge where the data is sound but this program cannot read it (it is
  // not skipped); others may pass: again.
  Result<std::optional<Run>> next(Lsn position, std::size_t wanted_bytes);

 private:
  Result<bool> extend(Run* run, std::optional<Loss>* loss);
  // False: the record's batch at run->last + 1 cannot be read; `why` says it.
  bool add(DecodedRecordPtr record, Run* run, std::optional<Error>* why);
  Run lost(Loss loss) const;
  static bool is_sound(const Error& error) {
    return error.code == ErrorCode::kUnsupported || error.code == ErrorCode::kTooLarge;
  }

  RecordSource& source_;
  Options options_;
  Lsn cursor_ = 0;  // what the source gives next; 0: not known
};

}  // namespace tidegate
