// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/chain_runs.h"

#include <algorithm>

namespace tidegate {

void ChainRuns::push(Seq n, const Hash128& chain) {
  if (!runs_.empty() && n <= last()) return;
  if (runs_.empty() || n != last() + 1) runs_.push_back({n, {}});
  runs_.back().chains.push_back(chain);
}

void ChainRuns::drop_above(Seq n) {
  while (!runs_.empty() && runs_.back().first > n) runs_.pop_back();
  if (!runs_.empty() && last() > n) runs_.back().chains.resize(n - runs_.back().first + 1);
}

void ChainRuns::drop_below(Seq n) {
  while (!runs_.empty() && runs_.front().first < n) {
    Run& run = runs_.front();
    const std::size_t gone = std::min<std::size_t>(run.chains.size(), n - run.first);
    run.chains.erase(run.chains.begin(), run.chains.begin() + static_cast<std::ptrdiff_t>(gone));
    run.first += gone;
    if (!run.chains.empty()) return;
    runs_.pop_front();
  }
}

std::optional<Hash128> ChainRuns::at(Seq n) const {
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), n, [](Seq v, const Run& run) { return v < run.first; });
  if (after == runs_.begin()) return std::nullopt;
  const Run& run = *std::prev(after);
  if (n - run.first >= run.chains.size()) return std::nullopt;
  return run.chains[n - run.first];
}

std::size_t ChainRuns::size() const {
  std::size_t size = 0;
  for (const Run& run : runs_) size += run.chains.size();
  return size;
}

void ChainRuns::save(stream_codec::PutFields& put) const {
  put(static_cast<std::uint32_t>(runs_.size()));
  for (const Run& run : runs_) {
    put(run.first), put(static_cast<std::uint32_t>(run.chains.size()));
    for (const Hash128& chain : run.chains) put(chain);
  }
}

void ChainRuns::load(stream_codec::GetFields& get) {
  runs_.clear();
  const std::uint32_t runs = get.count(8 + 4 + 16);
  for (std::uint32_t i = 0; i < runs && get.ok(); ++i) {
    Run run;
    get(run.first);
    run.chains.resize(get.count(16));
    for (Hash128& chain : run.chains) get(chain);
    runs_.push_back(std::move(run));
  }
}

}  // namespace tidegate
