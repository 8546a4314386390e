// SPDX-License-Identifier: Apache-2.0
// The file `role` of a data directory: whose it is. Text, one line: "sender" or "receiver".
//
// The journals of both sides have one format, so a receiver could open a sender's folder and deliver from it
// what was never sent. Start-up only.
#pragma once

#include <string>
#include <string_view>

#include "base/env.h"
#include "base/result.h"

namespace tidegate {

// kIdentity when `data_dir` belongs to the other role, kDamaged when its file `role` is neither; success
// where there is no such file yet. Writes nothing.
Status check_data_dir(FileSystem& files, const std::string& data_dir, std::string_view role);

// Makes the folder where it is missing, and leaves the role there: a folder without one is taken over. Before
// the journal in it is opened.
Status claim_data_dir(FileSystem& files, const std::string& data_dir, std::string_view role);

}  // namespace tidegate
