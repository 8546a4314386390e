// SPDX-License-Identifier: Apache-2.0
// The bodies of the frames between daemon and tidegate-plugin-host, as values with encode and decode.
// Layout: doc/plugin_protocol.md. Decoding is strict: kMalformed for anything short, long or out of range;
// nothing is allocated beyond a small multiple of the input. Views point into what was decoded.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "pipe/engine/attributes.h"
#include "pipe/engine/plugin/plugin_protocol.h"

namespace tidegate::tgplugin {

struct FrameHead {
  std::uint32_t length = 0;
  FrameType type = FrameType::kDone;
};
void append_frame(Bytes* out, FrameType type, ByteView body);
// kUnsupported for another version, kTooLarge above `most`. Precondition: `head` has kFrameHead bytes.
Result<FrameHead> decode_frame_head(ByteView head, std::uint32_t most);

struct Info {
  PluginKind kind = PluginKind::kProcessor;  // or kConnector
  bool stateful = false;                     // a processor with state() and restore()
  std::string name, version, description;
  std::vector<AttributeSpec> attributes;
};
Bytes encode(const Info& info);
Result<Info> decode_info(ByteView body);

using Settings = std::vector<std::pair<std::string, std::string>>;
Bytes encode(const Settings& settings);
Result<Settings> decode_settings(ByteView body);

// Answer to kCreate.
struct Created {
  std::string description;        // what the status says of the instance; empty: nothing of its own
  std::optional<ByteView> state;  // of a stateful processor
};
Bytes encode(const Created& created);
Result<Created> decode_created(ByteView body);

struct Opening {
  std::uint64_t position = 0;
  ByteView state;
};
Bytes encode(const Opening& opening);
Result<Opening> decode_opening(ByteView body);

struct NumberedBatch {
  std::uint64_t number = 0;
  ByteView canonical;
};
Bytes encode(const std::vector<NumberedBatch>& batches);
Result<std::vector<NumberedBatch>> decode_batches(ByteView body);

// Answer to kProcess.
struct Processed {
  std::vector<std::optional<ByteView>> outputs;  // canonical bytes; empty: the batch that came in
  std::optional<ByteView> state;                 // empty: as it was
};
Bytes encode(const Processed& processed);
Result<Processed> decode_processed(ByteView body);

// Answer to kDeliver.
struct Letter {
  std::uint32_t batch = 0;  // index into the request
  std::string reason, line, target;
};
struct Delivered {
  std::uint64_t written_events = 0, skipped_events = 0;
  std::string message;
  Bytes state;
  std::vector<Letter> letters;
};
Bytes encode(const Delivered& delivered);
Result<Delivered> decode_delivered(ByteView body);

struct Retry {
  std::uint64_t after_ns = 0;
  std::string message;
};
Bytes encode(const Retry& retry);
Result<Retry> decode_retry(ByteView body);

// Words of a plugin as status and log may show them: controls and what is no UTF-8 become '?'.
std::string printable(std::string_view text);

// kFailed: one text of at most kMostText bytes.
Bytes encode_text(std::string_view text);
Result<std::string> decode_text(ByteView body);

}  // namespace tidegate::tgplugin
