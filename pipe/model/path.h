// SPDX-License-Identifier: Apache-2.0
// Tree paths and the default mapping between the two addressings.
//
// A path is nodes joined by '.': root.plant.line1.temperature. A node stands bare when all its characters are
// of [A-Za-z0-9_:@#${}] or U+2E80..U+9FFF and it is not digits only; else it stands in back-quotes, with a
// back-quote inside doubled: root.`a.b`.`123`. The canonical path has quotes exactly where they are needed;
// patterns are compared with it.
//
// Table to tree:  root.<database>.<table>[.<tag value in key order>...].<field>
// Tree to table:  measurement = the node at a configured level, else the device path; tag `device` = the
// device path. The first direction drops tag keys: path_to_table() gets them back only from whoever knows the
// table. All functions are pure. Errors: kMalformed with the 1-based column of the first character that does
// not fit.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "pipe/model/batch.h"

namespace tidegate {

bool node_needs_quotes(std::string_view node);
// Appends the node, in back-quotes where needed; without a '.'.
void append_node(std::string* path, std::string_view node);

// The nodes without quotes. Characters of a bare node are not judged (wildcards of patterns, names of old
// versions); empty nodes and stray back-quotes are refused.
Result<std::vector<std::string>> split_path(std::string_view path);
std::string join_path(std::span<const std::string> nodes);
// split and join: quotes only where needed.
Result<std::string> canonical_path(std::string_view path);

// The path of a row's series without a field: of a tree series its device path as it is, of a table series
// the mapping. Appends, so that a caller can reuse a buffer for all rows.
void append_device_path(std::string* path, const RowView& row);
// The same with ".<field>" behind it: the canonical path that patterns and sinks with tree addressing see.
void append_series_path(std::string* path, const RowView& row, std::string_view field);

struct TablePath {
  std::string database;
  std::string table;
  std::vector<std::pair<std::string, std::string>> tags;
  std::string field;
};
// The inverse of the mapping for a table whose tag keys, ascending, are known. kInvalidArgument when the
// number of nodes does not fit.
Result<TablePath> path_to_table(std::string_view path, std::span<const std::string_view> tag_keys);

struct LineAddress {
  std::string measurement;
  std::string device;  // value of the tag `device`
};
// Tree to line protocol. `level` counts from root = 0; kInvalidArgument when the device path has no such
// node.
Result<LineAddress> device_to_line(std::string_view device, std::optional<std::size_t> level = std::nullopt);

}  // namespace tidegate
