// SPDX-License-Identifier: Apache-2.0
// The attributes of line_mapping.h that every sink of line protocol has.
#pragma once

#include "base/result.h"
#include "pipe/engine/attributes.h"

namespace tidegate {

AttributeSpec tree_level_attribute();
AttributeSpec tree_tag_attribute();
Result<int> read_tree_level(const Attributes& attributes);

}  // namespace tidegate
