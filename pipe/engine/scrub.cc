// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/scrub.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"

namespace tidegate {
namespace {

Nanos real_now() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

}  // namespace

Scrub::Scrub(const Journal& journal, std::function<void(const DamagedRange&)> on_damage, ScrubOptions options)
    : journal_(journal), on_damage_(std::move(on_damage)), options_(options) {
  thread_ = std::jthread([this] { run(); });
}

Scrub::~Scrub() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

ScrubFigures Scrub::figures() const {
  const std::scoped_lock lock(mutex_);
  return figures_;
}

bool Scrub::rest_for(Nanos duration) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::nanoseconds(duration), [this] { return stopping_; });
}

void Scrub::run() {
  Nanos wait = options_.first_after;
  while (rest_for(wait)) {
    const Nanos began = real_now();
    pass();
    wait = std::max<Nanos>(options_.period - (real_now() - began), options_.least_pause);
  }
}

void Scrub::pass() {
  Nanos began = real_now();
  const auto problem = [this](const DamagedRange& range) {
    {
      const std::scoped_lock lock(mutex_);
      ++figures_.problems;
    }
    on_damage_(range);
    return true;
  };
  const auto between = [&] {
    {
      const std::scoped_lock lock(mutex_);
      ++figures_.segments;
    }
    const bool go_on = rest_for(std::max<Nanos>((real_now() - began) * options_.rest, options_.least_pause));
    began = real_now();
    return go_on;
  };
  if (const Status read = journal_.verify(false, problem, between); !read.ok())
    log_warning("journal", "the background check could not read on, it begins again at its next pass: " +
                               read.error().text());
  const std::scoped_lock lock(mutex_);
  ++figures_.passes;
}

}  // namespace tidegate
