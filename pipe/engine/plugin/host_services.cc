// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/host_services.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>

#include "pipe/engine/plugin/batch_unpacker.h"

namespace tidegate::tgplugin {
namespace {

// An exception must not go through the plugin: it may be written in another language.
template <class Work>
tg_status contained(HostServices& services, Work work) noexcept {
  try {
    return work();
  } catch (const std::exception&) {
    services.say("there is no memory left: raise 'plugin.memory-limit'");
    return TG_FAILED;
  }
}

}  // namespace

HostServices::HostServices() {
  table_.owner = this;
  table_.struct_size = sizeof(tg_host);
  table_.abi_version = TG_ABI_VERSION;
  table_.log = log;
  table_.set_message = set_message;
  table_.set_state = set_state;
  table_.emit = emit;
  table_.emit_input = emit_input;
  table_.dead_letter = dead_letter;
  table_.stopping = stopping;
}

void HostServices::begin_call(std::size_t batches) {
  message_.clear();
  state_.reset();
  batch_open_ = false;
  batches_ = batches;
  letters_.clear();
  letter_bytes_ = 0;
}

Status HostServices::begin_batch(ByteView canonical) {
  TG_CHECK(rows_.begin(canonical));
  batch_open_ = true;
  return {};
}

std::vector<std::optional<Batch>> HostServices::end_batch() {
  batch_open_ = false;
  return rows_.take();
}

tg_status HostServices::fail(std::string_view why) {
  say(why);
  return TG_FAILED;
}

tg_status HostServices::result_of(const Status& status) {
  return status.ok() ? TG_OK : fail(status.error().detail);
}

// One write for one line, so that lines of several threads do not mix.
void HostServices::log(const tg_host*, std::uint32_t level, tg_str text) noexcept {
  constexpr char kPriorities[] = "7643";  // sd-daemon(3): debug, info, warning, error
  std::array<char, 4096> line{};
  line[0] = '<';
  line[1] = kPriorities[std::min<std::uint32_t>(level, TG_LOG_ERROR)];
  line[2] = '>';
  const std::size_t size = std::min(text.size, line.size() - 4);
  std::transform(text.data, text.data + size, line.data() + 3, [](char c) { return c == '\n' ? ' ' : c; });
  line[3 + size] = '\n';
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), size + 4);
}

void HostServices::set_message(const tg_host* host, tg_str text) noexcept {
  contained(of(host), [&] { return of(host).say(from_tg(text)), TG_OK; });
}

tg_status HostServices::set_state(const tg_host* host, tg_bytes state) noexcept {
  HostServices& services = of(host);
  return contained(services, [&]() -> tg_status {
    if (state.size > kMostState) {
      return services.fail("set_state(): " + std::to_string(state.size) + " bytes, at most " +
                           std::to_string(kMostState) + " are kept");
    }
    services.state_ = to_bytes(from_tg(state));
    return TG_OK;
  });
}

tg_status HostServices::emit(const tg_host* host, const tg_series* series) noexcept {
  HostServices& services = of(host);
  return contained(services, [&]() -> tg_status {
    if (!services.batch_open_ || series == nullptr) return services.fail("emit() outside of process()");
    return services.result_of(services.rows_.emit(*series));
  });
}

tg_status HostServices::emit_input(const tg_host* host) noexcept {
  HostServices& services = of(host);
  return contained(services, [&]() -> tg_status {
    if (!services.batch_open_) return services.fail("emit_input() outside of process()");
    return services.result_of(services.rows_.emit_input());
  });
}

tg_status HostServices::dead_letter(const tg_host* host, const tg_dead_letter* letter) noexcept {
  HostServices& services = of(host);
  return contained(services, [&]() -> tg_status {
    if (letter == nullptr || letter->struct_size < offsetof(tg_dead_letter, reason)) {
      return services.fail("dead_letter(): its struct_size is not set");
    }
    return services.add_letter(copy_known(letter));
  });
}

tg_status HostServices::add_letter(const tg_dead_letter& letter) {
  if (letter.batch >= batches_) return fail("dead_letter(): there is no such batch in this delivery");
  letter_bytes_ += letter.reason.size + letter.line.size + letter.target.size;
  if (letters_.size() >= kMostLetters || letter_bytes_ > kMostLetterBytes) {
    return fail("dead_letter(): too many in one delivery");
  }
  letters_.push_back({letter.batch, std::string(from_tg(letter.reason)), std::string(from_tg(letter.line)),
                      std::string(from_tg(letter.target))});
  return TG_OK;
}

// While a call is under way the daemon sends one thing only: that the pipe stops.
std::int32_t HostServices::stopping(const tg_host*) noexcept {
  pollfd socket{kSocketFd, POLLIN, 0};
  return ::poll(&socket, 1, 0) > 0 ? 1 : 0;
}

}  // namespace tidegate::tgplugin
