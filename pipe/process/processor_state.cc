// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/processor_state.h"

namespace tidegate {
namespace {

constexpr std::uint8_t kStateVersion = 1;

}  // namespace

void write_state_head(ByteWriter& writer, std::string_view processor, std::string_view meaning) {
  writer.u8(kStateVersion);
  writer.str32(processor);
  writer.str32(meaning);
}

Status read_state_head(ByteReader& reader, std::string_view processor, std::string_view meaning) {
  const std::uint8_t version = reader.u8();
  if (reader.ok() && version != kStateVersion) {
    return bad_state(processor, "has version " + std::to_string(version) + ", this program reads version " +
                                    std::to_string(kStateVersion));
  }
  const std::string_view name = reader.str32();
  if (reader.ok() && name != processor) {
    return bad_state(processor, "is one of \"" + std::string(name) + "\"");
  }
  const std::string_view stored = reader.str32();
  if (!reader.ok()) return bad_state(processor, "ends too early");
  if (stored == meaning) return {};
  return bad_state(processor, "belongs to other attributes (\"" + std::string(stored) + "\", now \"" +
                                  std::string(meaning) + "\")");
}

Error bad_state(std::string_view processor, std::string_view what) {
  return make_error(ErrorCode::kMalformed,
                    "the stored state of " + std::string(processor) + " " + std::string(what));
}

Status expect_no_state(std::string_view processor, ByteView state) {
  if (state.empty()) return {};
  return bad_state(processor, "has " + std::to_string(state.size()) + " bytes, but it keeps none");
}

Status StateBudget::grow(std::uint64_t bytes) {
  if (bytes <= limit_ && used_ <= limit_ - bytes) {
    used_ += bytes;
    return {};
  }
  return make_error(ErrorCode::kOutOfMemoryBudget,
                    processor_ + ": the state of its series needs more than 'processor.state.max-bytes' (" +
                        std::to_string(limit_) +
                        " bytes): raise it, or let the pipe take fewer series (extractor.pattern)");
}

Status StateBudget::resize(std::uint64_t from, std::uint64_t to) {
  if (to > from) return grow(to - from);
  shrink(from - to);
  return {};
}

}  // namespace tidegate
