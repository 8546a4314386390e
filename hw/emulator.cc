// SPDX-License-Identifier: Apache-2.0
#include "hw/emulator.h"

#include "hw/emulator_loop.h"

namespace tidegate {

Emulator::Emulator() = default;

Result<std::unique_ptr<Emulator>> Emulator::open(GatekeeperOptions options) {
  TG_TRY(std::unique_ptr<EmulatorLoop> loop, EmulatorLoop::open(std::move(options)));
  std::unique_ptr<Emulator> emulator(new Emulator());
  emulator->port_ = loop->port();
  emulator->loop_ = std::move(loop);
  emulator->thread_ = std::thread([e = emulator.get()] {
    e->loop_->run();
    e->running_ = false;
  });
  return emulator;
}

Emulator::~Emulator() {
  if (!thread_.joinable()) return;
  loop_->shut_down();
  thread_.join();
}

std::string Emulator::command(const std::string& line) {
  return loop_->run_in_loop([&line](EmulatorLoop& loop) { return run_command(loop, line); });
}

GatekeeperStats Emulator::stats() {
  GatekeeperStats out;
  loop_->run_in_loop([&out](EmulatorLoop& loop) {
    out = loop.device().stats;
    return std::string();
  });
  return out;
}

}  // namespace tidegate
