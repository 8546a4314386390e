// SPDX-License-Identifier: Apache-2.0
// The Env of a real machine: POSIX files, CLOCK_MONOTONIC, CLOCK_REALTIME, getrandom.
//
// Errors carry the path and the text of errno; ENOSPC and EDQUOT are kNoSpace. make_dirs syncs the folders it
// changed. A lock is an flock on the file, which holds the pid of its holder as text and stays when the lock
// is gone.
#pragma once

#include "base/env.h"

namespace tidegate {

// Lives as long as the program.
Env& real_env();

}  // namespace tidegate
