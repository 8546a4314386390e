// SPDX-License-Identifier: Apache-2.0
// Runs in tidegate-plugin-host: takes requests from the daemon, calls the plugin, answers.
#pragma once

#include "pipe/engine/plugin/batch_unpacker.h"
#include "pipe/engine/plugin/loaded_plugin.h"

namespace tidegate::tgplugin {

// Blocking frames over the socket of plugin_protocol.h.
void send_frame(FrameType type, ByteView body);  // ends the process where the daemon is gone

class HostRunner {
 public:
  HostRunner(LoadedPlugin& plugin, HostServices& services) : plugin_(plugin), services_(services) {}
  // Until the daemon closes its end. kMalformed: a request that no daemon of this version sends.
  Status run();

 private:
  struct Reply {
    FrameType type = FrameType::kDone;
    Bytes body;
  };
  Result<Reply> serve(FrameType type, ByteView body);
  Result<Reply> create(ByteView body);
  Result<Reply> restore(ByteView state);
  Result<Reply> process(ByteView canonical);
  Result<Reply> open(ByteView body);
  Result<Reply> deliver(ByteView body);
  Reply failed() const;
  Reply not_ok(tg_status status, std::uint64_t retry_after = 0) const;
  // The state that the plugin has now, where it is another one than the daemon knows. False: state() failed.
  bool changed_state(std::optional<ByteView>* state);

  LoadedPlugin& plugin_;
  HostServices& services_;
  BatchUnpacker unpacker_;
  std::optional<Bytes> known_state_;  // by the daemon
};

}  // namespace tidegate::tgplugin
