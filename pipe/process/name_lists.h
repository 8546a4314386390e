// SPDX-License-Identifier: Apache-2.0
// The string formats of filters and renames:
//
//   tables, excluded-tables   t1.t2
//   excluded-fields           t1:a@b.t2:c
//   tables-rename             old1:new1.old2:new2
//   field-renames             t1:oldA@newA$oldB@newB.t2:oldX@newX
//
// They are those of the InfluxDB 3 data replicator plugin. Beyond them a name may stand in back-quotes, a
// back-quote inside doubled; then it may hold any character: `root.plant.line1`:`a@b`. All names are bytes
// and compare exactly. Pure; errors are kInvalidArgument with attribute, column and form.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate {

using NameSet = std::set<std::string, std::less<>>;
using NameMap = std::map<std::string, std::string, std::less<>>;
using FieldSets = std::map<std::string, NameSet, std::less<>>;  // by table
using FieldMaps = std::map<std::string, NameMap, std::less<>>;  // by table; old name to new name

// An empty text is an empty list. `attribute` is for messages. A name that stands twice is refused.
Result<NameSet> parse_names(std::string_view attribute, std::string_view text);
Result<FieldSets> parse_table_fields(std::string_view attribute, std::string_view text);
Result<NameMap> parse_renames(std::string_view attribute, std::string_view text);
Result<FieldMaps> parse_field_renames(std::string_view attribute, std::string_view text);

// A name as it may stand in each of these texts: in back-quotes where it needs them. For those who have lists
// (YAML) and not texts.
std::string list_name(std::string_view name);

}  // namespace tidegate
