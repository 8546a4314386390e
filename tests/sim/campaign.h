// SPDX-License-Identifier: Apache-2.0
// Many schedules: run them, count what they did, and show that planted bugs are found.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "protocol/native/planted.h"
#include "tests/sim/schedule.h"

namespace tidegate::sim {

struct CampaignOptions {
  std::uint64_t schedules = 1000;
  std::uint64_t seed = 1;
  std::uint64_t from = 0;                                             // number of the first schedule
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());  // threads
  std::uint64_t stop_after = 20;                                      // violations
  double seconds = 0;                                                 // of real time; 0: no limit
};

struct Campaign {
  std::uint64_t schedules = 0;
  double seconds = 0;
  std::uint64_t operator_actions = 0;
  std::uint64_t full = 0,
                trimmed_by_share = 0;  // schedules with a full quota; with a trim because of its fifth
  std::uint64_t events = 0;
  std::array<std::uint64_t, kFaultKinds> hits{};
  std::vector<std::uint64_t> batches, faults;  // per schedule, sorted
  std::vector<Nanos> virtual_time;             // per schedule, sorted
  struct Failure {
    std::uint64_t number = 0;  // of the schedule
    Outcome outcome;
  };
  std::vector<Failure> failures;  // by number
};

Campaign run_campaign(const CampaignOptions& options);
std::string campaign_text(const Campaign& campaign);
std::string campaign_json(const CampaignOptions& options, const Campaign& campaign);

const char* planted_name(Planted bug);
std::optional<Planted> planted_by_name(const std::string& name);
std::vector<Planted> all_planted();

struct PlantResult {
  Planted bug = Planted::kNone;
  std::uint64_t schedules = 0;  // run until it was found
  bool found = false;
  std::uint64_t seed = 0;
  std::string violation;
};
// Plants the bug, runs schedules until the oracle objects, takes the bug out again.
PlantResult find_planted(Planted bug, const CampaignOptions& options);

int sim_main(int argc, char** argv);

}  // namespace tidegate::sim
