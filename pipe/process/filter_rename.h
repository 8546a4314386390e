// SPDX-License-Identifier: Apache-2.0
// filter-rename-processor: which tables and fields go on, and under which names. All names in the options are
// those that come in, before any renaming. Meaning of "table" and "field" for tree rows: doc/processors.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "pipe/engine/processor.h"
#include "pipe/process/name_lists.h"

namespace tidegate {

struct FilterRenameOptions {
  NameSet tables;  // empty: all
  NameSet excluded_tables;
  FieldSets excluded_fields;
  NameMap table_renames;
  FieldMaps field_renames;
  // Of tree rows, which node of the device path is the table (root is 0); none: the whole device path.
  std::optional<std::size_t> tree_level;
  bool drop_deletions = false;
};

// kInvalidArgument where the options contradict each other.
Result<std::unique_ptr<Processor>> make_filter_rename_processor(const FilterRenameOptions& options);

}  // namespace tidegate
