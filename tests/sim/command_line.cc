// SPDX-License-Identifier: Apache-2.0
// The command line of tidegate-sim.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>

#include "tests/sim/campaign.h"

namespace tidegate::sim {
namespace {

constexpr const char* kUsage =
    "tidegate-sim: sender, gatekeeper and receiver in virtual time, with faults drawn from a seed\n"
    "  --schedules N   how many (default 1000; 5000 with --plant)\n"
    "  --seed S        of the run (default: drawn and printed)\n"
    "  --from K        first schedule: --seed S --from K --schedules 1 replays one\n"
    "  --trace         print the timeline of each schedule\n"
    "  --plant NAMES   plant a bug and look for it; several with commas, `all` for every one, `list` to see "
    "them\n"
    "  --seeds N       with --plant: from N seeds, drawn and printed unless --seed gives the first (default "
    "1)\n"
    "  --jobs J        threads (default: one per core)\n"
    "  --seconds T     stop after T seconds of real time (each bug has T with --plant)\n"
    "  --json FILE     write the result\n";

struct Arguments {
  CampaignOptions campaign;
  bool seed_given = false, schedules_given = false, trace = false;
  std::string plant, json;
  unsigned seeds = 1;
};

bool parse(int argc, char** argv, Arguments* out) {
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--trace") {
      out->trace = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    const std::string value = argv[++i];
    const auto number = [&] { return std::strtoull(value.c_str(), nullptr, 10); };
    if (arg == "--schedules") {
      out->campaign.schedules = number(), out->schedules_given = true;
    } else if (arg == "--seed") {
      out->campaign.seed = number(), out->seed_given = true;
    } else if (arg == "--from") {
      out->campaign.from = number();
    } else if (arg == "--jobs") {
      out->campaign.jobs = static_cast<unsigned>(std::max<unsigned long long>(1, number()));
    } else if (arg == "--seconds") {
      out->campaign.seconds = std::strtod(value.c_str(), nullptr);
    } else if (arg == "--seeds") {
      out->seeds = static_cast<unsigned>(number());
    } else if (arg == "--plant") {
      out->plant = value;
    } else if (arg == "--json") {
      out->json = value;
    } else {
      return false;
    }
  }
  return true;
}

int trace_schedules(const CampaignOptions& options) {
  bool clean = true;
  for (std::uint64_t k = options.from; k < options.from + options.schedules; ++k) {
    std::printf("==== seed %llu, schedule %llu\n", static_cast<unsigned long long>(options.seed),
                static_cast<unsigned long long>(k));
    const Outcome outcome = run_schedule(schedule_seed(options.seed, k),
                                         [](const std::string& line) { std::printf("%s\n", line.c_str()); });
    clean &= outcome.violations.empty();
  }
  return clean ? 0 : 1;
}

std::optional<std::vector<Planted>> bugs_named(const std::string& names) {
  if (names == "all") return all_planted();
  std::vector<Planted> out;
  for (std::size_t at = 0; at <= names.size();) {
    const std::size_t end = std::min(names.find(',', at), names.size());
    const auto bug = planted_by_name(names.substr(at, end - at));
    if (!bug) return std::nullopt;
    out.push_back(*bug);
    at = end + 1;
  }
  return out;
}

bool find_all(const std::vector<Planted>& bugs, const CampaignOptions& options) {
  std::printf("seed %llu\n%-20s %9s  %s\n", static_cast<unsigned long long>(options.seed), "planted bug",
              "schedules", "what the oracle says");
  std::size_t found = 0;
  for (const Planted bug : bugs) {
    const PlantResult r = find_planted(bug, options);
    found += r.found ? 1 : 0;
    std::printf("%-20s %9llu  %s\n", planted_name(bug), static_cast<unsigned long long>(r.schedules),
                r.found ? (r.violation + " [schedule " + std::to_string(r.seed) + "]").c_str() : "NOT FOUND");
    std::fflush(stdout);
  }
  std::printf("%zu of %zu found\n", found, bugs.size());
  return found == bugs.size();
}

int run_planted(const Arguments& args) {
  const auto bugs = bugs_named(args.plant);
  if (!bugs) {
    for (const Planted known : all_planted()) std::printf("%s\n", planted_name(known));
    return args.plant == "list" ? 0 : 2;
  }
  bool all_found = true;
  CampaignOptions options = args.campaign;
  for (unsigned i = 0; i < args.seeds; ++i) {
    if (i > 0) options.seed = std::random_device{}();
    all_found &= find_all(*bugs, options);
  }
  return all_found ? 0 : 1;
}

}  // namespace

int sim_main(int argc, char** argv) {
  Arguments args;
  if (!parse(argc, argv, &args)) return std::fputs(kUsage, stderr), 2;
  if (!args.seed_given) args.campaign.seed = std::random_device{}();
  if (!args.schedules_given) args.campaign.schedules = args.plant.empty() ? (args.trace ? 1 : 1000) : 5000;
  if (args.plant.empty()) {
    if (args.trace) return trace_schedules(args.campaign);
  } else if (!args.trace) {
    return run_planted(args);
  } else {
    const auto bug = planted_by_name(args.plant);
    if (!bug) return std::fputs(kUsage, stderr), 2;
    plant(*bug);
    return trace_schedules(args.campaign);
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(args.campaign.seed));
  const Campaign campaign = run_campaign(args.campaign);
  std::fputs(campaign_text(campaign).c_str(), stdout);
  for (const auto& failure : campaign.failures) {
    std::printf("\nschedule %llu: replay with --seed %llu --from %llu --schedules 1 --trace\n",
                static_cast<unsigned long long>(failure.number),
                static_cast<unsigned long long>(args.campaign.seed),
                static_cast<unsigned long long>(failure.number));
    for (const std::string& v : failure.outcome.violations) std::printf("  %s\n", v.c_str());
  }
  if (!args.json.empty()) std::ofstream(args.json) << campaign_json(args.campaign, campaign);
  return campaign.failures.empty() ? 0 : 1;
}

}  // namespace tidegate::sim
