// SPDX-License-Identifier: Apache-2.0
// How the programs end; the table of doc/operation.md.
#pragma once

namespace tidegate {

constexpr int kExitOk = 0;
// It could not start or finish its work; the daemon refuses, or has failed; the journal is damaged.
constexpr int kExitNo = 1;
// The command line or the configuration is refused: trying again changes nothing.
constexpr int kExitUsage = 2;
// It could not be found out: no daemon answers, a journal cannot be read.
constexpr int kExitUnreachable = 3;
// tidegate-gatekeeper --strict: the rules of the device were broken.
constexpr int kExitViolated = 4;

}  // namespace tidegate
