// SPDX-License-Identifier: Apache-2.0
// Reading a segment from end to end to see whether it is as it was written. Read-only, takes no lock.
#pragma once

#include <functional>

#include "pipe/journal/segment_file.h"

namespace tidegate {

struct VerifySegment {
  SegmentName name;
  std::string path;
  std::uint32_t seed = 0;
  std::uint64_t end = 0;  // what stands behind does not count
  Lsn last_lsn = 0;       // the last LSN that must be in it; first_lsn - 1: none
};

// The callback gets each problem and returns false to stop; `last < first` where no batch was hit. `hash`:
// containers are decoded and each batch's content hash compared. False: stopped by the callback.
Result<bool> verify_segment(FileSystem& files, const VerifySegment& segment, bool hash,
                            const std::function<bool(const DamagedRange&)>& problem);

}  // namespace tidegate
