// SPDX-License-Identifier: Apache-2.0
// Runs in tidegate-plugin-host: tg_host, what the host does for a plugin. Keeps what the plugin hands over
// during a call. One thread, but for log().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipe/engine/plugin/plugin_messages.h"
#include "pipe/engine/plugin/row_collector.h"
#include "pipe/engine/tg_plugin_v1.h"

namespace tidegate::tgplugin {

class HostServices {
 public:
  HostServices();
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;

  const tg_host* table() const { return &table_; }

  // Forgets what the last call left. emit() works while a batch is open, dead_letter() while there are
  // batches.
  void begin_call(std::size_t batches = 0);
  Status begin_batch(ByteView canonical);
  std::vector<std::optional<Batch>> end_batch();

  void say(std::string_view message) { message_ = message.substr(0, kMostText); }
  const std::string& message() const { return message_; }
  const std::optional<Bytes>& state() const { return state_; }
  std::vector<Letter>& letters() { return letters_; }

 private:
  struct Table : tg_host {
    HostServices* owner = nullptr;
  };
  static HostServices& of(const tg_host* host) { return *static_cast<const Table*>(host)->owner; }
  static void log(const tg_host* host, std::uint32_t level, tg_str text) noexcept;
  static void set_message(const tg_host* host, tg_str text) noexcept;
  static tg_status set_state(const tg_host* host, tg_bytes state) noexcept;
  static tg_status emit(const tg_host* host, const tg_series* series) noexcept;
  static tg_status emit_input(const tg_host* host) noexcept;
  static tg_status dead_letter(const tg_host* host, const tg_dead_letter* letter) noexcept;
  static std::int32_t stopping(const tg_host* host) noexcept;
  tg_status fail(std::string_view why);
  tg_status result_of(const Status& status);
  tg_status add_letter(const tg_dead_letter& letter);

  Table table_;
  std::string message_;
  std::optional<Bytes> state_;
  RowCollector rows_;
  bool batch_open_ = false;
  std::size_t batches_ = 0;
  std::vector<Letter> letters_;
  std::size_t letter_bytes_ = 0;
};

}  // namespace tidegate::tgplugin
