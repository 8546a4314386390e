// SPDX-License-Identifier: Apache-2.0
#include "pipe/model/canonical.h"

#include <limits>
#include <string>

namespace tidegate::canonical {

void write_head(ByteWriter& writer, EventKind kind, const BatchHead& head) {
  writer.u8(kVersion);
  writer.u8(static_cast<std::uint8_t>(kind));
  writer.u8(has_time(kind) ? static_cast<std::uint8_t>(head.unit) : 0);
  writer.u8(head.flags & kFlagByPipeProtocol);
  writer.str32(head.source);
}

namespace {

Status check_head(EventKind kind, std::uint8_t unit, std::uint8_t flags) {
  if (unit > static_cast<std::uint8_t>(TimeUnit::kNanosecond)) {
    return make_error(ErrorCode::kMalformed, "time unit " + std::to_string(unit) + ", known are 0 to 3");
  }
  if (!is_known(kind)) return {};
  if ((flags & ~kFlagByPipeProtocol) != 0) {
    return make_error(ErrorCode::kUnsupported, "batch flags " + std::to_string(flags) + ", known is bit 0");
  }
  if (unit != 0 && !has_time(kind)) {
    return make_error(ErrorCode::kNotCanonical, "time unit " + std::to_string(unit) + " in a batch of kind " +
                                                    std::to_string(static_cast<unsigned>(kind)) +
                                                    ", which holds no time");
  }
  return {};
}

}  // namespace

Result<BatchHead> parse_head(ByteReader& reader, EventKind* kind) {
  const std::uint8_t version = reader.u8();
  if (reader.ok() && version != kVersion) {
    return make_error(ErrorCode::kUnsupported, "batch version " + std::to_string(version) + ", known is 1");
  }
  const auto found = static_cast<EventKind>(reader.u8());
  const std::uint8_t unit = reader.u8();
  const std::uint8_t flags = reader.u8();
  const std::string_view source = reader.str32();
  if (!reader.ok()) return make_error(ErrorCode::kMalformed, "the batch ends inside its header");
  TG_CHECK(check_head(found, unit, flags));
  if (kind != nullptr) *kind = found;
  return BatchHead{static_cast<TimeUnit>(unit), flags, std::string(source)};
}

Status check_end(const ByteReader& reader) {
  if (!reader.ok()) {
    return make_error(ErrorCode::kMalformed,
                      "a length or count of the batch runs past its end, read up to byte " +
                          std::to_string(reader.position()));
  }
  if (!reader.at_end()) {
    return make_error(ErrorCode::kNotCanonical,
                      std::to_string(reader.remaining()) + " bytes after the end of the batch");
  }
  return {};
}

}  // namespace tidegate::canonical

namespace tidegate {

std::int64_t to_nanos(std::int64_t time, TimeUnit unit) {
  static constexpr std::int64_t kFactors[] = {1'000'000'000, 1'000'000, 1'000, 1};
  std::int64_t out = 0;
  if (!__builtin_mul_overflow(time, kFactors[static_cast<int>(unit)], &out)) return out;
  return time < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
}

}  // namespace tidegate
