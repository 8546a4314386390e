// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/line_attributes.h"

namespace tidegate {
namespace {

constexpr std::int64_t kDeepestLevel = 1000;

}  // namespace

AttributeSpec tree_level_attribute() {
  return {.name = "tree-level",
          .type = AttributeType::kInteger,
          .default_value = "-1",
          .description =
              "of tree rows: which node of the device path is the measurement (root is 0); -1: all of it",
          .min = -1,
          .max = kDeepestLevel};
}

AttributeSpec tree_tag_attribute() {
  return {.name = "tree-tag",
          .default_value = "device",
          .description = "of tree rows: the tag that holds the device path"};
}

Result<int> read_tree_level(const Attributes& attributes) {
  TG_TRY(const std::int64_t level,
         read_integer(attributes, PluginKind::kConnector, "tree-level", -1, -1, kDeepestLevel));
  return static_cast<int>(level);
}

}  // namespace tidegate
