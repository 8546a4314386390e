// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/campaign.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>

namespace tidegate::sim {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class T>
T quantile(const std::vector<T>& sorted, double q) {
  if (sorted.empty()) return T{};
  return sorted[std::min(sorted.size() - 1,
                         static_cast<std::size_t>(q * static_cast<double>(sorted.size())))];
}

void add(Campaign& to, std::uint64_t number, Outcome outcome) {
  ++to.schedules;
  to.operator_actions += outcome.operator_actions;
  to.full += outcome.refusals != 0 ? 1 : 0;
  to.trimmed_by_share += outcome.trims_by_share != 0 ? 1 : 0;
  to.events += outcome.events;
  for (std::size_t i = 0; i < kFaultKinds; ++i) to.hits[i] += outcome.hits[i];
  to.batches.push_back(outcome.batches);
  to.faults.push_back(outcome.faults);
  to.virtual_time.push_back(outcome.virtual_time);
  if (!outcome.violations.empty()) to.failures.push_back({number, std::move(outcome)});
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

std::string row(const char* name, double p10, double p50, double p90, double most) {
  char line[160];
  std::snprintf(line, sizeof(line), "  %-22s p10 %8.1f   median %8.1f   p90 %8.1f   most %8.1f\n", name, p10,
                p50, p90, most);
  return line;
}

template <class T>
std::string row_of(const char* name, const std::vector<T>& sorted, double unit) {
  const auto at = [&](double q) { return static_cast<double>(quantile(sorted, q)) / unit; };
  return row(name, at(0.1), at(0.5), at(0.9), at(1.0));
}

}  // namespace

Campaign run_campaign(const CampaignOptions& options) {
  Campaign out;
  std::mutex mutex;
  std::atomic<std::uint64_t> next{options.from};
  std::atomic<bool> stop{false};
  const std::uint64_t end = options.from + options.schedules;
  const double began = seconds_now();
  const auto work = [&] {
    while (!stop) {
      const std::uint64_t k = next++;
      if (k >= end || (options.seconds > 0 && seconds_now() - began > options.seconds)) return;
      Outcome outcome = run_schedule(schedule_seed(options.seed, k));
      const std::lock_guard guard(mutex);
      add(out, k, std::move(outcome));
      if (out.failures.size() >= options.stop_after) stop = true;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < options.jobs; ++i) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();
  out.seconds = seconds_now() - began;
  std::sort(out.batches.begin(), out.batches.end());
  std::sort(out.faults.begin(), out.faults.end());
  std::sort(out.virtual_time.begin(), out.virtual_time.end());
  std::sort(out.failures.begin(), out.failures.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return out;
}

std::string campaign_text(const Campaign& c) {
  char line[200];
  std::snprintf(line, sizeof(line),
                "%llu schedules in %.1f s: %.0f per second; %.1f million events, %llu operator actions\n",
                static_cast<unsigned long long>(c.schedules), c.seconds,
                static_cast<double>(c.schedules) / c.seconds, static_cast<double>(c.events) / 1e6,
                static_cast<unsigned long long>(c.operator_actions));
  std::string out = line;
  out += "per schedule\n";
  out += row_of("batches acknowledged", c.batches, 1);
  out += row_of("faults that hit", c.faults, 1);
  out += row_of("virtual minutes", c.virtual_time, 60e9);
  std::snprintf(line, sizeof(line),
                "a producer met a full quota in %llu, a fifth of the quota was reason to trim in %llu\n",
                static_cast<unsigned long long>(c.full), static_cast<unsigned long long>(c.trimmed_by_share));
  out += line;
  out += "faults that hit, by kind\n";
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    std::snprintf(line, sizeof(line), "  %9llu  %s\n", static_cast<unsigned long long>(c.hits[i]),
                  fault_text(static_cast<FaultKind>(i)));
    out += line;
  }
  std::snprintf(line, sizeof(line), "violations: %zu\n", c.failures.size());
  return out + line;
}

std::string campaign_json(const CampaignOptions& options, const Campaign& c) {
  std::string out = "{\"seed\":" + std::to_string(options.seed) +
                    ",\"from\":" + std::to_string(options.from) +
                    ",\"schedules\":" + std::to_string(c.schedules) +
                    ",\"seconds\":" + std::to_string(c.seconds) + ",\"events\":" + std::to_string(c.events) +
                    ",\"median_batches\":" + std::to_string(quantile(c.batches, 0.5)) +
                    ",\"median_faults\":" + std::to_string(quantile(c.faults, 0.5)) +
                    ",\"median_virtual_seconds\":" + std::to_string(quantile(c.virtual_time, 0.5) / kSecond) +
                    ",\"hits\":{";
  for (std::size_t i = 0; i < kFaultKinds; ++i)
    out +=
        (i == 0 ? "" : ",") + quoted(fault_name(static_cast<FaultKind>(i))) + ":" + std::to_string(c.hits[i]);
  out += "},\"violations\":[";
  for (std::size_t i = 0; i < c.failures.size(); ++i)
    out += (i == 0 ? "{\"schedule\":" : ",{\"schedule\":") + std::to_string(c.failures[i].number) +
           ",\"text\":" + quoted(c.failures[i].outcome.violations.front()) + "}";
  return out + "]}\n";
}

// ---- planted bugs

namespace {
struct PlantedText {
  const char* name;
  const char* text;
};
constexpr PlantedText kPlanted[] = {
#define TIDEGATE_X(name, text) {#name, text},
    TIDEGATE_PLANTED_LIST(TIDEGATE_X)
#undef TIDEGATE_X
};
}  // namespace

const char* planted_name(Planted bug) {
  return kPlanted[static_cast<std::size_t>(bug)].name + 1;
}

std::optional<Planted> planted_by_name(const std::string& name) {
  for (std::size_t i = 0; i < std::size(kPlanted); ++i)
    if (name == kPlanted[i].name || name == kPlanted[i].name + 1) return static_cast<Planted>(i);
  return std::nullopt;
}

std::vector<Planted> all_planted() {
  std::vector<Planted> out;
  for (std::size_t i = 1; i < std::size(kPlanted); ++i) out.push_back(static_cast<Planted>(i));
  return out;
}

PlantResult find_planted(Planted bug, const CampaignOptions& options) {
  PlantResult out;
  out.bug = bug;
  CampaignOptions until_found = options;
  until_found.stop_after = 1;
  const std::uint64_t end = options.from + options.schedules;
  while (!out.found && until_found.from < end) {
    until_found.schedules = end - until_found.from;
    plant(bug);
    const Campaign campaign = run_campaign(until_found);
    plant(Planted::kNone);
    out.schedules += campaign.schedules;
    if (campaign.failures.empty()) break;
    const Campaign::Failure& first = campaign.failures.front();
    // What the oracle says without the bug as well was not caused by it.
    out.found = run_schedule(schedule_seed(options.seed, first.number)).violations.empty();
    out.seed = first.number;
    out.violation = first.outcome.violations.front();
    until_found.from = first.number + 1;
  }
  return out;
}

}  // namespace tidegate::sim
