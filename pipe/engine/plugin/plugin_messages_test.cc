// SPDX-License-Identifier: Apache-2.0
// doc/plugin_protocol.md is the golden data: one frame of every type is read from the page and held against
// the code, in both directions.
#include "pipe/engine/plugin/plugin_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>

#include "pipe/model/batch.h"

namespace tidegate::tgplugin {
namespace {

std::map<std::string, Bytes> read_frames() {
  std::ifstream page(TIDEGATE_SOURCE_DIR "/doc/plugin_protocol.md");
  std::map<std::string, Bytes> frames;
  std::string name, hex;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      const bool is_hex = name.empty() || from_hex(hex, &frames[name]);
      EXPECT_TRUE(is_hex) << name;
      name = line.starts_with("```frame ") ? line.substr(9) : "";
      hex.clear();
    } else {
      for (const char c : line.substr(0, line.find('#'))) {
        if (c != ' ') hex.push_back(c);
      }
    }
  }
  return frames;
}

class PluginProtocolPage : public testing::Test {
 protected:
  // The frame of the page is what the code writes.
  void is(const std::string& name, FrameType type, const Bytes& body) {
    Bytes frame;
    append_frame(&frame, type, body);
    ASSERT_TRUE(frames_.contains(name)) << name;
    EXPECT_EQ(to_hex(frame), to_hex(frames_[name])) << name;
    seen_.insert(name);
  }
  ByteView body(const std::string& name) { return ByteView(frames_[name]).subspan(kFrameHead); }
  Bytes batch() { return to_bytes(body("process")); }

  std::map<std::string, Bytes> frames_ = read_frames();
  std::set<std::string> seen_;
};

Info example_info() {
  AttributeSpec factor;
  factor.name = "factor";
  factor.type = AttributeType::kNumber;
  factor.description = "by how much";
  factor.required = true;
  return {PluginKind::kProcessor, false, "scale-processor", "1.0", "scales", {factor}};
}

Delivered example_delivered() {
  Delivered delivered;
  delivered.message = "1 refused";
  delivered.state = {8};
  delivered.letters = {{0, "old", "m v=0.5", "db"}};
  return delivered;
}

TEST_F(PluginProtocolPage, EveryFrameOfThePageIsWhatIsWritten) {
  const Bytes changed{5, 0};
  const Bytes opened{7};
  const Bytes one = batch();
  is("info", FrameType::kInfo, encode(example_info()));
  is("create", FrameType::kCreate, encode(Settings{{"factor", "2"}}));
  is("created", FrameType::kDone, encode(Created{"times 2", std::nullopt}));
  is("restore", FrameType::kRestore, changed);
  is("process", FrameType::kProcess, one);
  is("processed", FrameType::kDone, encode(Processed{{std::nullopt, one}, changed}));
  is("open", FrameType::kOpen, encode(Opening{41, opened}));
  is("deliver", FrameType::kDeliver, encode(std::vector<NumberedBatch>{{42, one}}));
  is("delivered", FrameType::kDone, encode(example_delivered()));
  is("retry", FrameType::kRetry, encode(Retry{5 * 1'000'000'000ULL, "asleep"}));
  is("failed", FrameType::kFailed, encode_text("no such table"));
  is("close", FrameType::kClose, {});
  is("stop", FrameType::kStop, {});
  EXPECT_EQ(seen_.size(), frames_.size()) << "the page has frames that nobody checks";
}

TEST_F(PluginProtocolPage, TheBatchOfThePageIsOne) {
  EXPECT_TRUE(summarize(batch()).ok());
}

TEST_F(PluginProtocolPage, EveryFrameOfThePageIsRead) {
  const Info info = decode_info(body("info")).value();
  EXPECT_EQ(info.attributes.at(0).name, "factor");
  EXPECT_EQ(info.attributes[0].min, INT64_MIN);
  EXPECT_EQ(decode_settings(body("create")).value(), (Settings{{"factor", "2"}}));
  EXPECT_EQ(decode_created(body("created"))->description, "times 2");
  const Processed processed = decode_processed(body("processed")).value();
  ASSERT_EQ(processed.outputs.size(), 2U);
  EXPECT_FALSE(processed.outputs[0].has_value());
  EXPECT_EQ(to_bytes(*processed.outputs[1]), batch());
  EXPECT_EQ(to_bytes(*processed.state), (Bytes{5, 0}));
  EXPECT_EQ(decode_opening(body("open"))->position, 41U);
  EXPECT_EQ(decode_batches(body("deliver"))->at(0).number, 42U);
  EXPECT_EQ(decode_delivered(body("delivered"))->letters.at(0).line, "m v=0.5");
  EXPECT_EQ(decode_retry(body("retry"))->after_ns, 5'000'000'000U);
  EXPECT_EQ(decode_text(body("failed")).value(), "no such table");
}

// What a decoder makes of a body, as text: empty where it refuses.
using Decoder = std::function<bool(ByteView)>;
const std::map<std::string, Decoder>& decoders() {
  static const std::map<std::string, Decoder> all = {
      {"info", [](ByteView b) { return decode_info(b).ok(); }},
      {"create", [](ByteView b) { return decode_settings(b).ok(); }},
      {"created", [](ByteView b) { return decode_created(b).ok(); }},
      {"processed", [](ByteView b) { return decode_processed(b).ok(); }},
      {"open", [](ByteView b) { return decode_opening(b).ok(); }},
      {"deliver", [](ByteView b) { return decode_batches(b).ok(); }},
      {"delivered", [](ByteView b) { return decode_delivered(b).ok(); }},
      {"retry", [](ByteView b) { return decode_retry(b).ok(); }},
      {"failed", [](ByteView b) { return decode_text(b).ok(); }}};
  return all;
}

TEST_F(PluginProtocolPage, NothingShorterOrLongerIsRead) {
  for (const auto& [name, decode] : decoders()) {
    Bytes whole = to_bytes(body(name));
    EXPECT_TRUE(decode(whole)) << name;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(decode(ByteView(whole).first(size))) << name << ", " << size << " bytes";
    }
    whole.push_back(0);
    EXPECT_FALSE(decode(whole)) << name;
  }
}

TEST(PluginMessages, CountsAndLengthsBeyondTheLimitsAreRefused) {
  Bytes many(sizeof(std::uint32_t) + kMostOutputs + 2);
  ByteWriter(many).patch_u32(0, kMostOutputs + 1);
  EXPECT_FALSE(decode_processed(many).ok());
  EXPECT_FALSE(decode_created(encode(Created{std::string(kMostText + 1, 'x'), {}})).ok());
  Info info = example_info();
  info.attributes.resize(kMostAttributes + 1, info.attributes[0]);
  EXPECT_FALSE(decode_info(encode(info)).ok());
}

TEST(PluginMessages, AFrameOfAnotherVersionOrTooLongIsRefusedByItsHead) {
  Bytes frame;
  append_frame(&frame, FrameType::kDone, Bytes(100));
  const ByteView head = ByteView(frame).first(kFrameHead);
  EXPECT_EQ(decode_frame_head(head, 100)->length, 100U);
  EXPECT_EQ(decode_frame_head(head, 99).error().code, ErrorCode::kTooLarge);
  frame[6] = 2;
  EXPECT_EQ(decode_frame_head(head, 100).error().code, ErrorCode::kUnsupported);
}

TEST(PluginMessages, WordsOfAPluginAreOneLineOfUtf8) {
  EXPECT_EQ(printable("grün\n\x1b[31m\xffz\xc3"), "grün??[31m?z?");
  EXPECT_EQ(decode_text(encode_text("a\nb")).value(), "a?b");
  EXPECT_EQ(decode_text(encode_text(std::string(10'000, 'x')))->size(), kMostText);
}

}  // namespace
}  // namespace tidegate::tgplugin
