// SPDX-License-Identifier: Apache-2.0
// Behind `tidegate journal ls | dump | verify`: looks at the folder of a journal, also while a daemon writes
// it.
//
// Read-only: takes no lock, changes nothing, needs no JournalState. What stands at the end of the newest
// segment and is not yet complete is no damage. A segment that is trimmed meanwhile is left out.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/journal/journal.h"
#include "pipe/journal/record.h"

namespace tidegate {

struct SegmentDetail {
  SegmentInfo info;
  SegmentTotals totals;             // from the footer, else counted
  std::int64_t created_micros = 0;  // 0: the header cannot be read
};
Result<std::vector<SegmentDetail>> list_journal(FileSystem& files, const std::string& directory);
// A table for a terminal, or one JSON object a line.
std::string segments_text(const std::vector<SegmentDetail>& segments, bool json);

struct DumpOptions {
  Lsn first = 1;
  Lsn last = ~Lsn{0};
  bool json = false;     // one object a line
  bool content = false;  // decodes containers: rows and other events
};
using LineSink = std::function<void(std::string_view line)>;  // without line end
Status dump_journal(FileSystem& files, const std::string& directory, const DumpOptions& options,
                    const LineSink& sink);

struct VerifyReport {
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  std::uint64_t problems = 0;
  int exit_status() const { return problems == 0 ? 0 : 1; }  // base/exit_code.h
};
// `hash`: also decodes every container and compares the content hashes.
Result<VerifyReport> verify_journal(FileSystem& files, const std::string& directory, bool hash,
                                    const std::function<void(const DamagedRange&)>& problem);

}  // namespace tidegate
