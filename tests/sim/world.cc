// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>

#include "protocol/native/format.h"

namespace tidegate::sim {
namespace {

constexpr std::uint64_t kMostAtOnce = 20'000;     // events of one moment
constexpr Nanos kMostWaiting = 1000 * kSecond;    // the longest answer timeout is 900 s
constexpr std::uint64_t kMostEvents = 1'000'000;  // of one run

}  // namespace

World::World(const WorldSetup& setup)
    : random(setup.seed),
      oracle(&queue),
      device(&queue, setup.seed ^ 0xD0D0, [this](const std::string& v) { violation(v); }) {
  device.timing = setup.device;
  site = {&queue, &device, &oracle, {}};
  if (setup.trace) {
    site.trace = [this, out = setup.trace](const std::string& text) {
      char time[32];
      std::snprintf(time, sizeof(time), "%12.6f  ", static_cast<double>(queue.now()) / 1e9);
      out(time + text);
    };
    device.trace = site.trace;
    oracle.on_violation([this](const std::string& text) { say("VIOLATION: " + text); });
  }
  receiver = std::make_unique<ReceiverMachine>(&site, setup.receiver, setup.seed * 31 + 7);
  receiver->boot_after(0);
  for (const SenderSetup& s : setup.senders) {
    senders.push_back(std::make_unique<SenderMachine>(&site, s, setup.seed * 31 + 11 + senders.size()));
    is_twin.push_back(false);
    senders.back()->boot_after(kMillisecond);
  }
}

void World::violation(const std::string& text) {
  oracle.violation(text);
}

void World::step(Nanos end, bool* more) {
  try {
    *more = queue.run_next(end);
  } catch (const SimCrash&) {
    const ProcessId dead = queue.running();
    if (receiver->process() == dead) return receiver->on_sim_crash();
    for (auto& s : senders)
      if (s->process() == dead) return s->on_sim_crash();
  }
}

void World::run_until(Nanos time) {
  std::uint64_t at_once = 0;
  Nanos moment = -1;
  for (bool more = true; more && !stuck_;) {
    step(time, &more);
    at_once = queue.now() == moment ? at_once + 1 : 0;
    moment = queue.now();
    if (at_once < kMostAtOnce && queue.events() < kMostEvents) continue;
    stuck_ = true;
    violation(std::string("it turns in a circle: ") +
              (at_once >= kMostAtOnce ? "time stands still" : "far too many events") + ": " + state_text());
  }
}

void World::heal() {
  device.check_waiting(kMostWaiting);
  say("---- the faults are over");
  healed = true;
  device.faults = {};
  device.once = {};
  device.forget();
  receiver->files().clear_faults();
  receiver->files().set_capacity(std::uint64_t{1} << 50);
  for (auto& s : senders) {
    s->files().clear_faults();
    s->files().set_capacity(std::uint64_t{1} << 50);
  }
}

bool World::settle(Nanos bound) {
  const Nanos end = queue.now() + bound;
  int calm = 0;
  Nanos step = 5 * kSecond;
  while (queue.now() < end && !stuck_) {
    run_for(step);
    const bool quiet = receiver->up() && std::all_of(senders.begin(), senders.end(), [](const auto& s) {
                         return s->retired() || (s->up() && s->quiet());
                       });
    calm = quiet ? calm + 1 : 0;
    if (calm >= 2) return true;
    at(queue.now(), [this] {  // as an event: it may kill a process
      operate();
    });
    step = std::min<Nanos>(step * 2, 60 * kSecond);
  }
  return false;
}

std::string World::state_text() const {
  std::string out = receiver->up() ? "receiver up" : "receiver down (" + receiver->trouble() + ")";
  for (const auto& s : senders) {
    if (s->retired()) continue;
    out += "; " + s->name() + ": ";
    if (s->link() == nullptr) {
      out += "down (" + s->trouble() + ")";
      continue;
    }
    out += std::string(link_state_name(s->link()->state())) + " (" + s->link()->message() + ")";
    if (s->backlog() > 0) out += ", " + std::to_string(s->backlog()) + " batches wait at the producer";
    for (const SenderStreamView& v : s->link()->streams())
      out += ", stream " + std::to_string(v.stream) + " " + v.state + " head " + std::to_string(v.head) +
             " soft " + std::to_string(v.soft) + " confirmed " + std::to_string(v.confirmed) + " trimmed " +
             std::to_string(v.trimmed) + " (" + v.message + ")";
  }
  return out;
}

void World::check() {
  std::vector<Oracle::LiveSender> live;
  for (auto& s : senders) s->tell_unreadable();
  for (const auto& s : senders)
    if (s->journal_id() && !s->retired()) live.push_back(s->live());
  receiver->check(live);
}

void World::check_undisturbed() {
  for (const auto& s : senders)
    if (s->link() != nullptr && s->link()->counters().doubts != 0)
      violation(s->name() + " doubted a link on which nothing was wrong, " +
                std::to_string(s->link()->counters().doubts) + " times");
}

bool World::finish(Nanos bound) {
  heal();
  if (!settle(bound) && !stuck_) {
    violation("it does not get going again: " + state_text());
    say(receiver->name() + ": " + receiver->space_text());
    for (const auto& s : senders) say(s->name() + ": " + s->space_text());
  }
  check();
  return violations().empty();
}

SenderMachine& World::add_twin(SenderMachine& original, const Machine::Image& image) {
  SenderSetup setup = original.setup();
  setup.number = static_cast<int>(senders.size());
  senders.push_back(std::make_unique<SenderMachine>(&site, setup, random.next()));
  is_twin.push_back(true);
  SenderMachine& twin = *senders.back();
  say(twin.name() + ": a twin of " + original.name() + " as of batch " + std::to_string(image.head));
  twin.clone_from(image);
  twin.boot_after(kSecond);
  return twin;
}

// ---- the operator

void World::operate() {
  device.check_waiting(kMostWaiting);
  // A journal that cannot be opened any more is moved away, as its message says.
  const auto give_up = [this](Machine& machine) {
    if (machine.trouble().find("move it away") == std::string::npos) return;
    ++operator_actions;
    machine.replace_disk(kSecond);
  };
  give_up(*receiver);
  for (auto& s : senders)
    if (!s->retired()) give_up(*s);
  const std::size_t count = senders.size();
  for (std::size_t i = 0; i < count; ++i) {
    SenderMachine& s = *senders[i];
    if (s.retired() || s.link() == nullptr) continue;
    operate_link(s, is_twin[i]);
    if (!s.retired() && s.link() != nullptr) operate_streams(s);
  }
}

void World::operate_link(SenderMachine& s, bool twin) {
  const std::string& message = s.link()->message();
  const bool refused = message.find("refuse") != std::string::npos;
  // Without questions the link cannot know why it is refused: both status pages are compared.
  const auto here = s.journal_id();
  const auto far = receiver->store() != nullptr && here ? receiver->store()->journal(*here) : std::nullopt;
  const bool link_refused = message.find("refuses the link") != std::string::npos;
  // A flipped bit may have hit the note of the session.
  bool for_a_reason = s.was_rolled_back() || oracle.holding(s.number()).rotted;
  for (std::size_t i = 0; i < senders.size(); ++i)
    for_a_reason = for_a_reason || (is_twin[i] && senders[i]->setup().sender_id == s.setup().sender_id);
  const bool behind_fence = link_refused && s.setup().link.ask == AskMode::kOff && for_a_reason && far &&
                            !far->superseded && far->session >= s.store()->session();
  if (s.fenced() || behind_fence) {
    ++operator_actions;
    if (!for_a_reason)
      violation(s.name() +
                " is fenced though there is no twin and its disk was never that of an earlier moment");
    const bool was_twin = twin;
    for (std::size_t i = 0; i < senders.size(); ++i)
      if (is_twin[i] && !senders[i]->retired() && senders[i]->setup().sender_id == s.setup().sender_id) {
        oracle.retired(senders[i]->number());
        senders[i]->retire();
      }
    if (!was_twin) s.adopt();
    return;
  }
  if (!refused || receiver->store() == nullptr || !here) return;
  const auto incumbent = receiver->store()->journal_of_sender(s.setup().sender_id);
  const bool replaced = far && far->superseded && twin;  // the box that goes on has a new journal
  if ((incumbent && *incumbent != *here && !far) || replaced) {
    ++operator_actions;
    if (twin) {
      oracle.retired(s.number());
      return s.retire();
    }
    receiver->approve(s.setup().sender_id, *here);
  }
}

void World::operate_streams(SenderMachine& s) {
  for (const SenderStreamView& v : s.link()->streams()) {
    if (v.stopped) {
      ++operator_actions;
      s.declare_gap(v.stream);
    } else if (s.setup().link.ask == AskMode::kOff && v.state == "waiting" &&
               v.message.find("reason unknown (ask is off)") != std::string::npos) {
      operate_without_questions(s, v);
    }
  }
}

// The operator compares position and chain of both status pages and says where to go on.
void World::operate_without_questions(SenderMachine& s, const SenderStreamView& v) {
  if (receiver->store() == nullptr || s.store() == nullptr) return;
  const Id journal = *s.journal_id();
  Seq b = std::min(receiver->position(journal, v.stream).position, v.head);
  for (; b > 0; --b) {
    const auto near = s.store()->chain(v.stream, b);
    const auto far = receiver->store()->chain(journal, v.stream, b);
    if (near && far && *near == *far) break;
  }
  ++operator_actions;
  s.fork_at(v.stream, b);
}

}  // namespace tidegate::sim
