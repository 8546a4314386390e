// SPDX-License-Identifier: Apache-2.0
// Paths by their text: nothing is looked up, links are not followed. Pure.
#pragma once

#include <string>

namespace tidegate {

// Whether `path` is `folder` or lies below it; "x/../y", "//" and a slash at the end do not matter.
bool is_within(const std::string& path, const std::string& folder);

}  // namespace tidegate
