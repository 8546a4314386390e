// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/gather_options.h"

#include "base/yaml.h"

namespace tidegate {
namespace {

constexpr Nanos kLongestDelay = 3600 * kSecond;

// Without the blank that people like.
std::string bytes_text(std::size_t bytes) {
  std::string out = show_byte_size(bytes);
  std::erase(out, ' ');
  return out;
}

}  // namespace

std::vector<AttributeSpec> gather_attributes(const GatherOptions& defaults) {
  return {{.name = "batch.enable",
           .type = AttributeType::kBool,
           .default_value = "true",
           .description = "whether a delivery gathers several records of the journal"},
          {.name = "batch.max-delay-seconds",
           .type = AttributeType::kDuration,
           .default_value = show_duration(defaults.delay),
           .description = "how long data may wait for more of it; a bare number counts seconds",
           .min = 0,
           .max = kLongestDelay,
           .aliases = {"batch.max-delay"}},
          {.name = "batch.size-bytes",
           .type = AttributeType::kBytes,
           .default_value = bytes_text(defaults.bytes),
           .description = "how much a delivery gathers at most, before compression",
           .min = 1,
           .max = kLargestGather}};
}

Result<GatherOptions> read_gather_options(const Attributes& attributes, GatherOptions defaults) {
  constexpr PluginKind kKind = PluginKind::kConnector;
  GatherOptions out;
  TG_TRY(const bool gathers, read_bool(attributes, kKind, "batch.enable", true));
  TG_TRY(out.delay, read_duration(attributes, kKind, "batch.max-delay-seconds", defaults.delay));
  TG_TRY(out.bytes, read_bytes(attributes, kKind, "batch.size-bytes", defaults.bytes));
  if (!gathers) return GatherOptions{.bytes = 1, .delay = 0};
  return out;
}

}  // namespace tidegate
