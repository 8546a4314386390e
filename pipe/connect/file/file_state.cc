// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/file/file_state.h"

namespace tidegate {
namespace {
constexpr std::uint8_t kVersion = 1;
}

Bytes FileSinkState::encode() const {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(kVersion);
  writer.u8(part.has_value() ? 1 : 0);
  if (part.has_value()) {
    writer.u64(part->first);
    writer.u64(part->last);
    writer.u64(part->length);
    writer.i64(part->opened_micros);
    writer.str32(part->context);
  }
  writer.u32(static_cast<std::uint32_t>(closed.size()));
  for (const ClosedFile& file : closed) {
    writer.u64(file.first);
    writer.u64(file.last);
    writer.u64(file.length);
  }
  return out;
}

Result<FileSinkState> FileSinkState::decode(ByteView bytes) {
  ByteReader reader(bytes);
  FileSinkState state;
  const std::uint8_t version = reader.u8();
  if (reader.ok() && version != kVersion) {
    return make_error(ErrorCode::kUnsupported,
                      "file sink state of version " + std::to_string(version) + ", known is 1");
  }
  if (reader.u8() != 0) {
    FilePart& part = state.part.emplace();
    part.first = reader.u64();
    part.last = reader.u64();
    part.length = reader.u64();
    part.opened_micros = reader.i64();
    part.context = reader.str32();
  }
  state.closed.resize(reader.count32(24));
  for (ClosedFile& file : state.closed) {
    file.first = reader.u64();
    file.last = reader.u64();
    file.length = reader.u64();
  }
  if (!reader.ok() || !reader.at_end())
    return make_error(ErrorCode::kMalformed, "the state of the file sink");
  return state;
}

}  // namespace tidegate
