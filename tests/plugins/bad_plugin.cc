// SPDX-License-Identifier: Apache-2.0
// A plugin that does what a plugin must not do: 'fault' says what, 'in' the function in which it does it.
// BAD_CONNECTOR: built as a connector.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/engine/tg_plugin_v1.h"

namespace {

constexpr int kSocket = 3;

std::string_view view(tg_str text) {
  return {text.data, text.size};
}

struct Bad {
  const tg_host* host;
  std::map<std::string, std::string, std::less<>> settings;
  const std::string& fault() { return settings["fault"]; }
};

void write_to_socket(std::string_view bytes) {
  [[maybe_unused]] const ssize_t written = ::write(kSocket, bytes.data(), bytes.size());
}

// Writes where nothing may be written: the page is there, so that no sanitizer sees it first.
void write_to_read_only_page() {
  auto* page =
      static_cast<volatile char*>(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  page[0] = 1;
}

void leave_a_child_behind() {
  if (::fork() == 0) {
    for (;;) ::pause();
  }
}

void take_all_memory() {
  std::vector<std::string> taken;
  for (;;) taken.emplace_back(16 << 20, 'x');
}

void flood() {
  for (int i = 0; i < 20000; ++i) std::fprintf(stderr, "flood line %d\n", i);
}

tg_status emit_too_much(const tg_host* host) {
  const std::string text(1 << 20, 'x');
  const tg_str value{text.data(), text.size()};
  const tg_column column = {{"v", 1}, TG_TYPE_TEXT, TG_ROLE_FIELD, nullptr, &value};
  const int64_t time = 1;
  tg_series series{};
  series.device = {"root.a", 6};
  series.row_count = 1;
  series.times = &time;
  series.columns = &column;
  series.column_count = 1;
  tg_status status = TG_OK;
  while (status == TG_OK) status = host->emit(host, &series);
  return status;
}

tg_status emit_nonsense(const tg_host* host) {
  tg_series series{};
  series.row_count = 1;
  return host->emit(host, &series);
}

tg_status do_it(Bad& bad) {
  const std::string& fault = bad.fault();
  if (fault == "throw") throw std::runtime_error("the pump is dry");
  if (fault == "throw-int") throw 7;
  if (fault == "abort") std::abort();
  if (fault == "segfault") write_to_read_only_page();
  if (fault == "exit") ::_exit(3);
  if (fault == "garbage") write_to_socket("this is not what the protocol says");
  if (fault == "lie-about-length") write_to_socket({"\xff\xff\xff\xff\x41\x00\x01\x00", 8});
  if (fault == "close-socket") ::close(kSocket);
  if (fault == "flood") flood();
  if (fault == "last-words") std::fputs("<3>the bearing is \x01hot\n", stderr), std::abort();
  if (fault == "child") leave_a_child_behind();
  if (fault == "memory") take_all_memory();
  if (fault == "too-much") return emit_too_much(bad.host);
  if (fault == "nonsense") return emit_nonsense(bad.host);
  if (fault == "refuse") return bad.host->set_message(bad.host, {"not today", 9}), TG_FAILED;
  if (fault == "silent") return 99;
  if (fault == "retry") return bad.host->set_message(bad.host, {"the target sleeps", 17}), TG_RETRY;
  while (fault == "hang" || (fault == "slow" && !bad.host->stopping(bad.host))) {
  }
  if (fault == "slow") return TG_RETRY;
  return TG_OK;
}

tg_status maybe(void* self, std::string_view where) {
  Bad& bad = *static_cast<Bad*>(self);
  return bad.settings["in"] == where ? do_it(bad) : TG_OK;
}

tg_status create(const tg_host* host, const tg_setting* settings, size_t count, void** self) {
  auto* bad = new Bad{host, {}};
  for (size_t i = 0; i < count; ++i) bad->settings.emplace(view(settings[i].name), view(settings[i].value));
  *self = bad;
  return maybe(bad, "create");
}

void destroy(void* self) {
  maybe(self, "destroy");
  delete static_cast<Bad*>(self);
}

#ifdef BAD_CONNECTOR
tg_status open(void* self, uint64_t, tg_bytes) {
  return maybe(self, "open");
}

tg_status tell_pid(const Bad& bad) {
  const std::string pid = std::to_string(::getpid());
  return bad.host->set_state(bad.host, {reinterpret_cast<const uint8_t*>(pid.data()), pid.size()});
}

tg_status deliver(void* self, const tg_batch* const* batches, size_t count, tg_delivery* result) {
  Bad& bad = *static_cast<Bad*>(self);
  if (bad.fault() == "overcount") result->written_events += 1;
  if (bad.fault() == "letters") {
    const auto last = static_cast<uint32_t>(count - 1);
    const tg_dead_letter letter = {sizeof(letter), last, {"too old", 7}, {"the line", 8}, {"db", 2}};
    result->written_events -= batches[last]->events;
    return bad.host->dead_letter(bad.host, &letter);
  }
  if (bad.fault() == "pid") return tell_pid(bad);
  result->retry_after_ns = 5'000'000'000;
  return maybe(self, "deliver");
}
#else
tg_status process(void* self, const tg_batch*) {
  const Bad& bad = *static_cast<Bad*>(self);
  if (const tg_status status = maybe(self, "process"); status != TG_OK) return status;
  return bad.host->emit_input(bad.host);
}
tg_status state(void* self) {
  const Bad& bad = *static_cast<Bad*>(self);
  if (const tg_status status = maybe(self, "state"); status != TG_OK) return status;
  return bad.host->set_state(bad.host, {});
}
tg_status restore(void* self, tg_bytes) {
  return maybe(self, "restore");
}
#endif

const tg_attribute kFault = {
    sizeof(tg_attribute), TG_ATTR_TEXT, "fault", nullptr, "what goes wrong", 0, 0, {}, 0, 0, nullptr};
const tg_attribute kIn = {
    sizeof(tg_attribute), TG_ATTR_TEXT, "in", nullptr, "the function", 0, 0, {}, 0, 0, nullptr};
const char* const kColours[] = {"red", "green", nullptr};
const tg_attribute kColour = {
    sizeof(tg_attribute), TG_ATTR_CHOICE, "colour", "red", "not used", 0, 0, {}, 0, 0, kColours};
const tg_attribute kLevel = {
    sizeof(tg_attribute), TG_ATTR_INTEGER, "level", "3", "not used", 0, 1, {}, 1, 9, nullptr};
const tg_attribute* const kAttributes[] = {&kFault, &kIn, &kColour, &kLevel};

#ifdef BAD_CONNECTOR
const tg_connector kConnector = {sizeof(tg_connector), 0, create, destroy, nullptr, open, deliver, nullptr};
const tg_plugin kPlugin = {sizeof(tg_plugin), TG_ABI_VERSION, TG_CONNECTOR, 4,
                           "bad-connector",   "0.1",          "goes wrong", kAttributes,
                           nullptr,           &kConnector};
#else
const tg_processor kProcessor = {sizeof(tg_processor), 0, create, destroy, nullptr, process, state, restore};
const tg_plugin kPlugin = {sizeof(tg_plugin), TG_ABI_VERSION, TG_PROCESSOR, 4,      "bad-processor", "0.1",
                           "goes wrong",      kAttributes,    &kProcessor,  nullptr};
#endif

}  // namespace

extern "C" const tg_plugin* tg_plugin_v1(void) {
  return &kPlugin;
}
