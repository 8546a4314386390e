// SPDX-License-Identifier: Apache-2.0
// One record as text: a line for people or a JSON object, and the events of a batch.
#pragma once

#include <string>
#include <vector>

#include "pipe/journal/inspect.h"
#include "pipe/journal/segment_file.h"

namespace tidegate {

// "2026-01-31T23:59:59.123456Z"
std::string utc_text(std::int64_t micros);

std::string record_text(const ScanItem& item, ByteView meta, bool json);
std::string damage_text(const ScanItem& item, bool json);
// One line for each event of each batch that counts; what cannot be decoded is a line that says so.
std::vector<std::string> content_text(const RecordMeta& meta, ByteView container, bool json);

}  // namespace tidegate
