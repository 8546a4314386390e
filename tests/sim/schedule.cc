// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/schedule.h"

#include <algorithm>

namespace tidegate::sim {
namespace {

Id some_id(std::uint8_t n) {
  Id id;
  id.bytes.fill(n);
  return id;
}

Nanos between(SimRandom& random, Nanos least, Nanos most) {
  return least + static_cast<Nanos>(random.below(static_cast<std::uint64_t>(most - least)));
}

template <class T, std::size_t N>
T one_of(SimRandom& random, const T (&values)[N]) {
  return values[random.below(N)];
}

JournalSetup draw_journal(SimRandom& random) {
  JournalSetup out;
  out.segment_bytes = one_of<std::uint64_t>(random, {4 << 10, 8 << 10, 16 << 10, 64 << 10});
  const std::int64_t minutes = one_of<std::int64_t>(random, {0, 1, 10, 24 * 60});
  out.window.micros = minutes * 60 * 1'000'000;
  return out;
}

// Full while the link is down for long; so large that the checkpoints (up to 10 KiB, one per segment) leave
// room for batches.
void draw_quota(SimRandom& random, JournalSetup& journal) {
  journal.segment_bytes = one_of<std::uint64_t>(random, {24 << 10, 48 << 10});
  journal.quota_bytes = journal.segment_bytes * (5 + random.below(6));
}

SenderLinkOptions draw_link(SimRandom& random) {
  SenderLinkOptions out;
  out.lanes = one_of<std::uint8_t>(random, {1, 1, 1, 2, 3, 4});
  out.window = one_of<std::uint32_t>(random, {1, 1, 1, 2});
  out.wire_limit = one_of<std::size_t>(random, {1500, 4000, 20'000});
  out.ask = one_of<AskMode>(
      random, {AskMode::kOwnPosition, AskMode::kOwnPosition, AskMode::kOwnPosition, AskMode::kOwnPosition,
               AskMode::kOwnPosition, AskMode::kDiagnostics, AskMode::kOff});
  out.codecs = kCodecsKnown;
  out.beat = one_of<Nanos>(random, {10 * kSecond, 15 * kSecond, 19 * kSecond, 19 * kSecond});
  return out;
}

// A slow device with big frames: what waits behind one of them waits for seconds. As many lanes as the
// configuration check would let through (LINK.md, timers).
void draw_slow_device(SimRandom& random, SenderLinkOptions& link) {
  link.wire_limit = one_of<std::size_t>(random, {250'000, 500'000, 1'000'000});
  const auto frame = static_cast<Nanos>(link.wire_limit * kSecond / link.lowest_rate);
  while (link.lanes > 1 && link.lanes * frame >= 2 * link.beat) --link.lanes;
}

void draw_plant(SimRandom& random, WorldSetup& world) {
  SenderLinkOptions link = draw_link(random);
  world.slow_device = random.chance(1, 12);
  if (world.slow_device) draw_slow_device(random, link);
  const bool slow_sync = random.chance(1, 12);
  if (slow_sync) link.answer_timeout_base = 30 * kSecond;
  const int senders = world.slow_device || random.chance(3, 4) ? 1 : 2 + static_cast<int>(random.below(2));
  for (int i = 0; i < senders; ++i) {
    SenderSetup s;
    s.number = i;
    s.sender_id = some_id(static_cast<std::uint8_t>(i + 1));
    s.link = link;
    s.journal = draw_journal(random);
    if (!world.slow_device && random.chance(1, 4)) draw_quota(random, s.journal);
    s.declare_gaps = random.chance(1, 2);
    world.senders.push_back(s);
  }
  world.receiver.receiver_id = some_id(99);
  world.receiver.link.wire_limit = link.wire_limit;
  world.receiver.link.beat = link.beat;
  world.receiver.link.ask = link.ask == AskMode::kOff ? AskMode::kOwnPosition : link.ask;
  world.receiver.journal = draw_journal(random);
  world.receiver.sync_time = slow_sync ? between(random, 500 * kMillisecond, 6 * kSecond)
                                       : between(random, kMillisecond, 30 * kMillisecond);
  world.receiver.trims = random.chance(1, 4);
  if (world.receiver.trims && !world.slow_device && random.chance(1, 2))
    draw_quota(random, world.receiver.journal);
  world.device.delay = between(random, kMillisecond / 2, 40 * kMillisecond);
  world.device.rate =
      world.slow_device ? 150'000 : one_of<std::uint64_t>(random, {200'000, 1'000'000, 12'000'000});
}

void draw_bursts(SimRandom& random, Schedule& s) {
  std::uint32_t left = 180 + static_cast<std::uint32_t>(random.below(160));
  const std::uint32_t per_burst = one_of<std::uint32_t>(random, {6, 20, 60});
  while (left > 0) {
    Schedule::Burst burst;
    burst.batches = std::min<std::uint32_t>(left, 1 + static_cast<std::uint32_t>(random.below(per_burst)));
    burst.at = between(random, 2 * kSecond, s.duration);
    burst.sender = random.below(s.world.senders.size());
    const bool quota =
        s.world.senders[burst.sender].journal.quota_bytes + s.world.receiver.journal.quota_bytes != 0;
    burst.largest = random.chance(1, 8) ? 6000 : quota ? 4000 : 250;
    if (s.world.slow_device) burst.largest = random.chance(1, 16) ? 200'000 : 20'000;
    left -= burst.batches;
    s.bursts.push_back(burst);
  }
}

FaultKind draw_kind(SimRandom& random) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kFaultKinds; ++i) sum += fault_weight(static_cast<FaultKind>(i));
  std::uint64_t at = random.below(sum);
  for (std::size_t i = 0;; ++i) {
    const std::uint32_t weight = fault_weight(static_cast<FaultKind>(i));
    if (at < weight) return static_cast<FaultKind>(i);
    at -= weight;
  }
}

void draw_faults(SimRandom& random, Schedule& s) {
  std::vector<FaultKind> kinds;
  for (std::uint64_t n = 1 + random.below(4); n > 0; --n) kinds.push_back(draw_kind(random));
  const std::uint64_t count = 4 + random.below(9);
  for (std::uint64_t i = 0; i < count; ++i) {
    Schedule::Fault fault;
    fault.kind = kinds[random.below(kinds.size())];
    fault.at = between(random, 5 * kSecond, s.duration);
    // Mostly while something is on its way, or shortly after the fault before.
    if (!s.faults.empty() && random.chance(1, 4)) {
      fault.at = s.faults.back().at + between(random, 0, 8 * kSecond);
    } else if (random.chance(2, 3)) {
      fault.at = s.bursts[random.below(s.bursts.size())].at + between(random, 0, 200 * kMillisecond);
    } else if (!s.faults.empty() && random.chance(1, 2)) {
      fault.at = s.faults[random.below(s.faults.size())].at + between(random, 0, 30 * kSecond);
    }
    fault.at = std::min(fault.at, s.duration);
    s.faults.push_back(fault);
  }
  for (std::uint64_t n = 2 + random.below(3); n > 0; --n)
    s.images.push_back(between(random, 3 * kSecond, s.duration * 3 / 4));
}

}  // namespace

static std::string plant_text(const Schedule& s) {
  const SenderLinkOptions& link = s.world.senders.front().link;
  const auto journal = [](const JournalSetup& j) {
    return "segments of " + std::to_string(j.segment_bytes) + " bytes, kept for " +
           std::to_string(j.window.micros / 60'000'000) + " minutes" +
           (j.quota_bytes != 0 ? ", quota " + std::to_string(j.quota_bytes) + " bytes" : std::string());
  };
  static constexpr const char* kAsk[] = {"off", "own-position", "diagnostics"};
  std::string out = std::to_string(s.world.senders.size()) + " senders, " + std::to_string(link.lanes) +
                    " lanes, window " + std::to_string(link.window) + ", frames of " +
                    std::to_string(link.wire_limit) + " bytes, ask " + kAsk[static_cast<int>(link.ask)] +
                    ", delay " + std::to_string(s.world.device.delay / kMillisecond) + " ms, " +
                    std::to_string(s.world.device.rate) + " bytes/s; receiver: syncs in " +
                    std::to_string(s.world.receiver.sync_time / kMillisecond) + " ms, " +
                    journal(s.world.receiver.journal) + (s.world.receiver.trims ? ", trims" : "");
  for (const SenderSetup& sender : s.world.senders)
    out += "; sender " + std::to_string(sender.number) + ": " + journal(sender.journal) +
           (sender.declare_gaps ? ", declares gaps" : "");
  return out;
}

std::uint64_t schedule_seed(std::uint64_t run_seed, std::uint64_t k) {
  SimRandom random(run_seed ^ (k + 1) * 0x9E3779B97F4A7C15ULL);
  return random.next();
}

Schedule draw_schedule(std::uint64_t seed) {
  SimRandom random(seed);
  Schedule s;
  s.world.seed = random.next();
  s.duration = between(random, 3300 * kSecond, 4500 * kSecond);
  draw_plant(random, s.world);
  draw_bursts(random, s);
  if (!random.chance(1, s.world.slow_device ? 4 : 16)) draw_faults(random, s);
  return s;
}

Outcome run_schedule(std::uint64_t seed, std::function<void(const std::string&)> trace) {
  Schedule s = draw_schedule(seed);
  s.world.trace = std::move(trace);
  World world(s.world);
  FaultInjector injector(&world);
  if (s.world.trace) s.world.trace(plant_text(s));
  SimRandom random(seed ^ 0xFA17);
  for (const Schedule::Burst& burst : s.bursts)
    world.at(burst.at, [&world, burst] {
      SenderMachine& sender = world.sender(burst.sender);
      if (!sender.retired()) sender.produce(burst.batches, burst.largest);
    });
  for (const Schedule::Fault& fault : s.faults)
    world.at(fault.at, [&, fault] { injector.inject(fault.kind, random); });
  for (const Nanos at : s.images) world.at(at, [&injector] { injector.take_images(); });
  for (Nanos at = 600 * kSecond; at < s.duration; at += 600 * kSecond)
    world.at(at, [&world] { world.operate(); });
  world.run_until(s.duration);
  world.finish();
  // A full quota is refused, and a refusal ends a session.
  if (s.faults.empty() && s.world.receiver.journal.quota_bytes == 0) world.check_undisturbed();
  Outcome out;
  out.seed = seed;
  out.batches = world.oracle.batches_acknowledged();
  for (const std::uint64_t hits : injector.hits()) out.faults += hits;
  out.hits = injector.hits();
  out.operator_actions = world.operator_actions;
  for (const auto& sender : world.senders) {
    out.refusals += sender->refusals();
    out.trims_by_share += sender->trims_by_share();
  }
  out.events = world.queue.events();
  out.virtual_time = world.queue.now();
  out.violations = world.violations();
  return out;
}

}  // namespace tidegate::sim
