// SPDX-License-Identifier: Apache-2.0
// Crash points: named places where the end-to-end tests kill the process, as kill -9 would at the worst
// moment.
//
// TIDEGATE_CRASH_AT="name" or "name:n" (the n-th passage) in the environment makes the process kill itself
// with SIGKILL there. Without it a point costs one load and a branch. A name stands in the source once; the
// tests find all names by reading the source, and fail when an armed point is never passed. Any thread.
#pragma once

namespace tidegate {

// Start-up: reads the environment.
void arm_crash_points();

namespace internal {
extern bool g_crash_points_armed;
void pass_crash_point(const char* name);
}  // namespace internal

inline void crash_point(const char* name) {
  if (internal::g_crash_points_armed) [[unlikely]]
    internal::pass_crash_point(name);
}

}  // namespace tidegate
