// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/plugin_messages.h"

#include <algorithm>

#include "protocol/influx/text_scan.h"

namespace tidegate::tgplugin {
namespace {

constexpr std::size_t kLeastText = 4;  // an empty str

Status finish(const ByteReader& reader, const char* what) {
  if (reader.ok() && reader.at_end()) return {};
  return make_error(ErrorCode::kMalformed,
                    std::string(what) + " is not sound near byte " + std::to_string(reader.position()));
}

bool read_flag(ByteReader& reader) {
  const std::uint8_t flag = reader.u8();
  if (flag > 1) reader.fail();
  return flag == 1;
}

std::string read_text(ByteReader& reader) {
  const std::string_view text = reader.str32();
  if (text.size() > kMostText) reader.fail();
  return reader.ok() ? printable(text) : std::string();
}

void write_state(ByteWriter& writer, const std::optional<ByteView>& state) {
  writer.u8(state ? 1 : 0);
  if (state) writer.bytes32(*state);
}

std::optional<ByteView> read_state(ByteReader& reader) {
  if (!read_flag(reader)) return std::nullopt;
  const ByteView state = reader.bytes32();
  if (state.size() > kMostState) reader.fail();
  return state;
}

void write_attribute(ByteWriter& writer, const AttributeSpec& spec) {
  writer.str32(spec.name);
  writer.u8(static_cast<std::uint8_t>(spec.type));
  writer.str32(spec.default_value);
  writer.str32(spec.description);
  writer.u8(spec.required ? 1 : 0);
  writer.u8(spec.secret ? 1 : 0);
  writer.i64(spec.min);
  writer.i64(spec.max);
  writer.u32(static_cast<std::uint32_t>(spec.choices.size()));
  for (const std::string& choice : spec.choices) writer.str32(choice);
}

AttributeSpec read_attribute(ByteReader& reader) {
  AttributeSpec spec;
  spec.name = read_text(reader);
  const std::uint8_t type = reader.u8();
  if (type > static_cast<std::uint8_t>(AttributeType::kBytes)) reader.fail();
  spec.type = static_cast<AttributeType>(type);
  spec.default_value = read_text(reader);
  spec.description = read_text(reader);
  spec.required = read_flag(reader);
  spec.secret = read_flag(reader);
  spec.min = reader.i64();
  spec.max = reader.i64();
  const std::uint32_t choices = reader.count32(kLeastText);
  for (std::uint32_t i = 0; i < choices && reader.ok(); ++i) spec.choices.push_back(read_text(reader));
  return spec;
}

}  // namespace

void append_frame(Bytes* out, FrameType type, ByteView body) {
  ByteWriter writer(*out);
  writer.u32(static_cast<std::uint32_t>(body.size()));
  writer.u16(static_cast<std::uint16_t>(type));
  writer.u16(kProtocolVersion);
  writer.bytes(body);
}

Result<FrameHead> decode_frame_head(ByteView head, std::uint32_t most) {
  ByteReader reader(head);
  FrameHead out;
  out.length = reader.u32();
  out.type = static_cast<FrameType>(reader.u16());
  const std::uint16_t version = reader.u16();
  if (version != kProtocolVersion) {
    return make_error(ErrorCode::kUnsupported, "a frame of protocol version " + std::to_string(version) +
                                                   ", known is " + std::to_string(kProtocolVersion));
  }
  if (out.length <= most) return out;
  return make_error(ErrorCode::kTooLarge, "a frame of " + std::to_string(out.length) + " bytes, at most " +
                                              std::to_string(most) + " are taken");
}

Bytes encode(const Info& info) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(info.kind));
  writer.u8(info.stateful ? 1 : 0);
  writer.str32(info.name);
  writer.str32(info.version);
  writer.str32(info.description);
  writer.u32(static_cast<std::uint32_t>(info.attributes.size()));
  for (const AttributeSpec& spec : info.attributes) write_attribute(writer, spec);
  return out;
}

Result<Info> decode_info(ByteView body) {
  constexpr std::size_t kLeastAttribute = 4 * kLeastText + 3 + 16;
  ByteReader reader(body);
  Info info;
  info.kind = static_cast<PluginKind>(reader.u8());
  if (info.kind != PluginKind::kProcessor && info.kind != PluginKind::kConnector) reader.fail();
  info.stateful = read_flag(reader);
  info.name = read_text(reader);
  info.version = read_text(reader);
  info.description = read_text(reader);
  const std::uint32_t attributes = reader.count32(kLeastAttribute);
  if (attributes > kMostAttributes) reader.fail();
  for (std::uint32_t i = 0; i < attributes && reader.ok(); ++i) {
    info.attributes.push_back(read_attribute(reader));
  }
  TG_CHECK(finish(reader, "what the plugin says about itself"));
  return info;
}

Bytes encode(const Settings& settings) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(settings.size()));
  for (const auto& [name, value] : settings) {
    writer.str32(name);
    writer.str32(value);
  }
  return out;
}

Result<Settings> decode_settings(ByteView body) {
  ByteReader reader(body);
  Settings settings;
  const std::uint32_t count = reader.count32(2 * kLeastText);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    std::string name(reader.str32());
    settings.emplace_back(std::move(name), std::string(reader.str32()));
  }
  TG_CHECK(finish(reader, "the list of settings"));
  return settings;
}

Bytes encode(const Created& created) {
  Bytes out;
  ByteWriter writer(out);
  writer.str32(created.description);
  write_state(writer, created.state);
  return out;
}

Result<Created> decode_created(ByteView body) {
  ByteReader reader(body);
  Created created;
  created.description = read_text(reader);
  created.state = read_state(reader);
  TG_CHECK(finish(reader, "the answer to create()"));
  return created;
}

Bytes encode(const Opening& opening) {
  Bytes out;
  ByteWriter writer(out);
  writer.u64(opening.position);
  writer.bytes32(opening.state);
  return out;
}

Result<Opening> decode_opening(ByteView body) {
  ByteReader reader(body);
  Opening opening;
  opening.position = reader.u64();
  opening.state = reader.bytes32();
  TG_CHECK(finish(reader, "the position to open at"));
  return opening;
}

Bytes encode(const std::vector<NumberedBatch>& batches) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(batches.size()));
  for (const NumberedBatch& batch : batches) {
    writer.u64(batch.number);
    writer.bytes32(batch.canonical);
  }
  return out;
}

Result<std::vector<NumberedBatch>> decode_batches(ByteView body) {
  ByteReader reader(body);
  std::vector<NumberedBatch> batches;
  const std::uint32_t count = reader.count32(8 + 4);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const std::uint64_t number = reader.u64();
    batches.push_back({number, reader.bytes32()});
  }
  TG_CHECK(finish(reader, "the list of batches"));
  return batches;
}

Bytes encode(const Processed& processed) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(processed.outputs.size()));
  for (const std::optional<ByteView>& output : processed.outputs) {
    writer.u8(static_cast<std::uint8_t>(output ? Output::kBatch : Output::kInput));
    if (output) writer.bytes32(*output);
  }
  write_state(writer, processed.state);
  return out;
}

Result<Processed> decode_processed(ByteView body) {
  ByteReader reader(body);
  Processed processed;
  const std::uint32_t count = reader.count32(1);
  if (count > kMostOutputs) reader.fail();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const bool is_batch = read_flag(reader);
    processed.outputs.push_back(is_batch ? std::optional(reader.bytes32()) : std::nullopt);
  }
  processed.state = read_state(reader);
  TG_CHECK(finish(reader, "what came out of a batch"));
  return processed;
}

Bytes encode(const Delivered& delivered) {
  Bytes out;
  ByteWriter writer(out);
  writer.u64(delivered.written_events);
  writer.u64(delivered.skipped_events);
  writer.str32(delivered.message);
  writer.bytes32(delivered.state);
  writer.u32(static_cast<std::uint32_t>(delivered.letters.size()));
  for (const Letter& letter : delivered.letters) {
    writer.u32(letter.batch);
    writer.str32(letter.reason);
    writer.str32(letter.line);
    writer.str32(letter.target);
  }
  return out;
}

Result<Delivered> decode_delivered(ByteView body) {
  ByteReader reader(body);
  Delivered delivered;
  delivered.written_events = reader.u64();
  delivered.skipped_events = reader.u64();
  delivered.message = read_text(reader);
  delivered.state = to_bytes(reader.bytes32());
  if (delivered.state.size() > kMostState) reader.fail();
  const std::uint32_t letters = reader.count32(4 + 3 * kLeastText);
  if (letters > kMostLetters) reader.fail();
  for (std::uint32_t i = 0; i < letters && reader.ok(); ++i) {
    Letter& letter = delivered.letters.emplace_back();
    letter.batch = reader.u32();
    letter.reason = reader.str32();
    letter.line = reader.str32();
    letter.target = reader.str32();
  }
  TG_CHECK(finish(reader, "the account of a delivery"));
  return delivered;
}

Bytes encode(const Retry& retry) {
  Bytes out;
  ByteWriter writer(out);
  writer.u64(retry.after_ns);
  writer.str32(retry.message);
  return out;
}

Result<Retry> decode_retry(ByteView body) {
  ByteReader reader(body);
  Retry retry;
  retry.after_ns = reader.u64();
  retry.message = read_text(reader);
  TG_CHECK(finish(reader, "the wish to try later"));
  return retry;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = influx::utf8_length(text);
    const bool control = static_cast<unsigned char>(text[0]) < 0x20 || text[0] == 0x7f;
    if (length == 0 || control) {
      out += '?';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

Bytes encode_text(std::string_view text) {
  Bytes out;
  ByteWriter(out).str32(text.substr(0, kMostText));
  return out;
}

Result<std::string> decode_text(ByteView body) {
  ByteReader reader(body);
  std::string text = read_text(reader);
  TG_CHECK(finish(reader, "a text"));
  return text;
}

}  // namespace tidegate::tgplugin
