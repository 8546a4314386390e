// SPDX-License-Identifier: Apache-2.0
// A schedule: a plant, what its producers give and what goes wrong when, all drawn from one seed. Few kinds
// of faults are drawn, each many times: two that are harmless alone may not be harmless together.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/sim/faults.h"

namespace tidegate::sim {

struct Schedule {
  WorldSetup world;
  Nanos duration = 3600 * kSecond;  // with faults
  struct Burst {
    Nanos at = 0;
    std::size_t sender = 0;
    std::uint32_t batches = 0;
    std::uint32_t largest = 200;
  };
  std::vector<Burst> bursts;
  struct Fault {
    Nanos at = 0;
    FaultKind kind{};
  };
  std::vector<Fault> faults;
  std::vector<Nanos> images;
};

Schedule draw_schedule(std::uint64_t seed);

struct Outcome {
  std::uint64_t seed = 0;
  std::uint64_t batches = 0;  // acknowledged to producers
  std::uint64_t faults = 0;
  std::uint64_t operator_actions = 0;
  std::uint64_t refusals = 0, trims_by_share = 0;  // of quotas
  std::uint64_t events = 0;
  Nanos virtual_time = 0;
  std::array<std::uint64_t, kFaultKinds> hits{};
  std::vector<std::string> violations;
};

// `trace`: gets the timeline; may be empty.
Outcome run_schedule(std::uint64_t seed, std::function<void(const std::string&)> trace = {});
// The seed of the k-th schedule of a run.
std::uint64_t schedule_seed(std::uint64_t run_seed, std::uint64_t k);

}  // namespace tidegate::sim
