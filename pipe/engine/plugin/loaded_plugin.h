// SPDX-License-Identifier: Apache-2.0
// Runs in tidegate-plugin-host: the shared object, and calls into it. Nothing that the plugin throws gets
// past this class.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "pipe/engine/plugin/host_services.h"
#include "pipe/engine/plugin/plugin_messages.h"

namespace tidegate::tgplugin {

class LoadedPlugin {
 public:
  // `file`: what dlopen() takes. `services` must outlive the instance. Errors say what is wrong with the
  // plugin.
  static Result<LoadedPlugin> load(const char* file, HostServices& services);

  const Info& info() const { return info_; }
  bool is_processor() const { return processor_.create != nullptr; }
  bool has_instance() const { return created_; }

  // Each is the plugin's function of that name. After anything but TG_OK services.message() says why.
  tg_status create(const Settings& settings);
  void describe();
  tg_status process(const tg_batch& batch);
  tg_status state();
  tg_status restore(ByteView state);
  tg_status open(std::uint64_t position, ByteView state);
  tg_status deliver(const std::vector<const tg_batch*>& batches, tg_delivery* result);
  // close() where there is one, and destroy().
  void end();

 private:
  explicit LoadedPlugin(HostServices& services) : services_(&services) {}
  Status read(const tg_plugin* given);
  Status read_functions(const tg_plugin& plugin);
  Status read_attributes(const tg_plugin& plugin);
  tg_status guarded(const std::function<tg_status()>& call);

  HostServices* services_;
  Info info_;
  tg_processor processor_{};  // of its size or smaller; the rest stays null
  tg_connector connector_{};
  void* self_ = nullptr;
  bool created_ = false;
};

}  // namespace tidegate::tgplugin
