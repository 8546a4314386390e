// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/loaded_plugin.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>

#include "pipe/engine/plugin/batch_unpacker.h"

namespace tidegate::tgplugin {
namespace {

constexpr std::size_t kMostChoices = 256;

Error wrong(std::string what) {
  return make_error(ErrorCode::kInvalidArgument, std::move(what));
}

// A text of the plugin that ends with a zero.
std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text, ::strnlen(text, kMostText));
}

Result<AttributeSpec> spec_of(const tg_attribute& attribute) {
  AttributeSpec spec;
  spec.name = text_of(attribute.name);
  if (attribute.type > TG_ATTR_BYTES) {
    return wrong("attribute '" + spec.name + "' has the unknown type " + std::to_string(attribute.type));
  }
  spec.type = static_cast<AttributeType>(attribute.type);
  spec.default_value = text_of(attribute.default_value);
  spec.description = text_of(attribute.description);
  spec.required = attribute.required != 0;
  spec.secret = attribute.secret != 0;
  if (attribute.min != 0 || attribute.max != 0) {
    spec.min = attribute.min;
    spec.max = attribute.max;
  }
  for (std::size_t i = 0; attribute.choices != nullptr && attribute.choices[i] != nullptr; ++i) {
    if (i == kMostChoices) return wrong("attribute '" + spec.name + "' has more than 256 choices");
    spec.choices.push_back(text_of(attribute.choices[i]));
  }
  return spec;
}

static_assert(TG_ATTR_TEXT == static_cast<int>(AttributeType::kText) &&
              TG_ATTR_CHOICE == static_cast<int>(AttributeType::kChoice) &&
              TG_ATTR_BYTES == static_cast<int>(AttributeType::kBytes));

}  // namespace

Result<LoadedPlugin> LoadedPlugin::load(const char* file, HostServices& services) {
  void* const library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);  // stays for the life of the process
  if (library == nullptr) return wrong(::dlerror());
  void* const symbol = ::dlsym(library, "tg_plugin_v1");
  if (symbol == nullptr) {
    return wrong("it does not export tg_plugin_v1: is it a plugin of Tidegate, of this version?");
  }
  LoadedPlugin loaded(services);
  const tg_plugin* plugin = nullptr;
  const tg_status asked = loaded.guarded([&] {
    plugin = reinterpret_cast<decltype(&tg_plugin_v1)>(symbol)();
    return TG_OK;
  });
  if (asked != TG_OK) return wrong(services.message());
  TG_CHECK(loaded.read(plugin));
  return loaded;
}

Status LoadedPlugin::read(const tg_plugin* given) {
  if (given == nullptr) return wrong("tg_plugin_v1() returned null");
  if (given->abi_version != TG_ABI_VERSION) {
    return wrong("it was made for version " + std::to_string(given->abi_version) +
                 " of the interface, this program has version " + std::to_string(TG_ABI_VERSION));
  }
  const tg_plugin plugin = copy_known(given);
  info_.name = text_of(plugin.name);
  info_.version = text_of(plugin.version);
  info_.description = text_of(plugin.description);
  TG_CHECK(read_functions(plugin));
  return read_attributes(plugin);
}

Status LoadedPlugin::read_functions(const tg_plugin& plugin) {
  if (plugin.kind == TG_PROCESSOR && plugin.processor != nullptr) {
    processor_ = copy_known(plugin.processor);
    info_.kind = PluginKind::kProcessor;
    if (!processor_.create || !processor_.destroy || !processor_.process) {
      return wrong("a processor needs create(), destroy() and process()");
    }
    if (!processor_.state != !processor_.restore) return wrong("state() and restore() go together");
    info_.stateful = processor_.state != nullptr;
    return {};
  }
  if (plugin.kind == TG_CONNECTOR && plugin.connector != nullptr) {
    connector_ = copy_known(plugin.connector);
    info_.kind = PluginKind::kConnector;
    if (connector_.create && connector_.destroy && connector_.open && connector_.deliver) return {};
    return wrong("a connector needs create(), destroy(), open() and deliver()");
  }
  return wrong("it is neither a processor nor a connector with its functions (kind " +
               std::to_string(plugin.kind) + ")");
}

Status LoadedPlugin::read_attributes(const tg_plugin& plugin) {
  if (plugin.attribute_count > kMostAttributes || (plugin.attribute_count > 0 && !plugin.attributes)) {
    return wrong("its list of attributes is missing or has more than " + std::to_string(kMostAttributes));
  }
  for (std::uint32_t i = 0; i < plugin.attribute_count; ++i) {
    if (plugin.attributes[i] == nullptr) return wrong("an attribute is null");
    TG_TRY(AttributeSpec spec, spec_of(copy_known(plugin.attributes[i])));
    info_.attributes.push_back(std::move(spec));
  }
  return {};
}

tg_status LoadedPlugin::guarded(const std::function<tg_status()>& call) {
  try {
    const tg_status status = call();
    if (status == TG_OK || status == TG_RETRY) return status;
    if (services_->message().empty())
      services_->say("it returned " + std::to_string(status) + " and says no more");
  } catch (const std::exception& e) {
    services_->say(std::string("it threw an exception: ") + e.what());
  } catch (...) {
    services_->say("it threw something that is no std::exception");
  }
  return TG_FAILED;
}

tg_status LoadedPlugin::create(const Settings& settings) {
  std::vector<tg_setting> list;
  for (const auto& [name, value] : settings) list.push_back({as_tg(name), as_tg(value)});
  const auto make = is_processor() ? processor_.create : connector_.create;
  const tg_status status =
      guarded([&] { return make(services_->table(), list.data(), list.size(), &self_); });
  created_ = status == TG_OK;
  return created_ ? TG_OK : TG_FAILED;
}

void LoadedPlugin::describe() {
  const auto say = is_processor() ? processor_.describe : connector_.describe;
  services_->say(info_.name + " " + info_.version);
  if (say != nullptr) guarded([&] { return say(self_), TG_OK; });
}

tg_status LoadedPlugin::process(const tg_batch& batch) {
  return guarded([&] { return processor_.process(self_, &batch); });
}

tg_status LoadedPlugin::state() {
  return guarded([&] { return processor_.state(self_); });
}

tg_status LoadedPlugin::restore(ByteView state) {
  return guarded([&] { return processor_.restore(self_, as_tg(state)); });
}

tg_status LoadedPlugin::open(std::uint64_t position, ByteView state) {
  return guarded([&] { return connector_.open(self_, position, as_tg(state)); });
}

tg_status LoadedPlugin::deliver(const std::vector<const tg_batch*>& batches, tg_delivery* result) {
  return guarded([&] { return connector_.deliver(self_, batches.data(), batches.size(), result); });
}

void LoadedPlugin::end() {
  if (!created_) return;
  created_ = false;
  if (connector_.close != nullptr) guarded([&] { return connector_.close(self_), TG_OK; });
  const auto destroy = is_processor() ? processor_.destroy : connector_.destroy;
  guarded([&] { return destroy(self_), TG_OK; });
}

}  // namespace tidegate::tgplugin
