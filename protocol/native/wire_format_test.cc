// SPDX-License-Identifier: Apache-2.0
// doc/wire_format.md is the golden data: its examples are read from the page and held against encode and
// decode.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "protocol/frame/outer_frame.h"
#include "protocol/native/messages.h"

namespace tidegate {
namespace {

using Blocks = std::map<std::string, Bytes>;

// The blocks ```<kind> <name>: hex with comments behind '#'.
Blocks read_blocks(const std::string& kind) {
  std::ifstream page(std::string(TIDEGATE_SOURCE_DIR) + "/doc/wire_format.md");
  Blocks blocks;
  std::string name, hex;
  const std::string opening = "```" + kind + " ";
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with(opening)) {
      name = line.substr(opening.size());
      hex.clear();
    } else if (line.starts_with("```") && !name.empty()) {
      EXPECT_TRUE(from_hex(hex, &blocks[name])) << name;
      name.clear();
    } else {
      for (const char c : line.substr(0, line.find('#')))
        if (c != ' ') hex.push_back(c);
    }
  }
  return blocks;
}

Bytes16 sixteen(std::uint8_t first, std::uint8_t step) {
  Bytes16 out;
  for (std::size_t i = 0; i < 16; ++i) out.bytes[i] = static_cast<std::uint8_t>(first + i * step);
  return out;
}

class WireFormat : public testing::Test {
 protected:
  struct Frame {
    NativeHeader header;
    MessageBody body;
    Wrap wrap = Wrap::kNone;
  };
  NativeHeader header(std::uint32_t number, StreamId stream = 0, std::uint8_t lane = 0,
                      std::uint32_t salt = 0) {
    return {FrameKind::kProbe, 7, stream, lane, number, salt};
  }
  Hash128 chain(Seq n) const { return n == 0 ? chain_zero(journal, 1) : chain_next(chain(0), 1, hash); }
  BatchFrame batch() const {
    return {1, chain(0), {hash}, {sender}, 0, static_cast<std::uint32_t>(canonical.size()), container};
  }
  ByteView batch_body(std::size_t from, std::size_t to) const {
    return ByteView(body).subspan(from, to - from);
  }
  std::map<std::string, Frame> frames() {
    const auto total = static_cast<std::uint32_t>(body.size());
    return {
        {"probe-fail", {header(3), Probe{false}}},
        {"probe-wrapped", {header(1), Probe{true}, Wrap::kELanguage}},
        {"hello-link",
         {header(7, 0, 1), LinkHello{0x80, 0x80, 1, 2, 0, 0, 3, 16U << 20, receiver, sender, journal,
                                     0x0123456789abcdef, 1'700'000'000'000'000, "plant-1"}}},
        {"hello-stream",
         {header(8, 1), StreamHello{1, 0, chain(0), 1, chain(1), 9, "live", {{"pipe", "p1"}}}}},
        {"batch", {header(9, 1), batch()}},
        {"batch-salted", {header(10, 1, 0, 1), batch()}},
        {"part-first", {header(11, 1), PartFrame{1, 0, total, batch_body(0, 100)}}},
        {"part-final", {header(12, 1), PartFrame{1, 100, total, batch_body(100, total)}}},
        {"gap", {header(13, 1), GapFrame{1, 1, chain(0), chain(1), 1, 1, 1, 1}}},
        {"ask-position", {header(14, 1), Ask{Predicate::kPositionAtLeast, false, 1, {}}}},
        {"ask-chain-negated",
         {header(15, 1), Ask{Predicate::kChainAt, true, 0, {{1, 1, chain(1)}, {1, 0, chain(0)}}}}},
        {"ask-reason", {header(16, 1), Ask{Predicate::kReason, false, 3, {}}}},
        {"ask-room", {header(17), Ask{Predicate::kRoomAtLeast, false, 30, {}}}},
        {"beat", {header(18, 0, 1), Beat{1'700'000'000'000'000, "{\"head\":9}"}}},
        {"end", {header(19, 1), End{"pipe dropped"}}},
    };
  }

  Blocks vectors = read_blocks("vector");
  Bytes canonical = vectors["canonical"];
  Hash128 hash = xxh3_128(canonical);
  Id journal = sixteen(0, 1), sender = sixteen(0x11, 0), receiver = sixteen(0x22, 0);
  Bytes container = [this] {
    Bytes out;
    ByteWriter writer(out);
    writer.u32(1);
    writer.bytes32(canonical);
    return out;
  }();
  Bytes body = encode_batch_body(batch());
};

TEST_F(WireFormat, TheVectorsOfThePageHold) {
  EXPECT_EQ(hash.hex(), to_hex(vectors["content-hash"]));
  EXPECT_EQ(chain(0).hex(), to_hex(vectors["chain-0"]));
  EXPECT_EQ(chain(1).hex(), to_hex(vectors["chain-1"]));
  Bytes key(8);
  apply_salt(1, key);
  EXPECT_EQ(to_hex(key), to_hex(vectors["splitmix64-1"]));
}

TEST_F(WireFormat, EveryExampleIsWhatEncodeWrites) {
  Blocks examples = read_blocks("frame");
  for (const auto& [name, frame] : frames())
    EXPECT_EQ(to_hex(encode_outer_frame(encode_message(frame.header, frame.body), frame.wrap)),
              to_hex(examples[name]))
        << name;
}

TEST_F(WireFormat, EveryExampleIsReadAndNoneIsForgotten) {
  const auto known = frames();
  for (const auto& [name, wire] : read_blocks("frame")) {
    OuterFrameDecoder decoder(1 << 20);
    ByteView input = wire;
    ASSERT_EQ(decoder.feed(input), OuterFrameDecoder::State::kFrame) << name;
    Bytes scratch;
    const auto read = decode_message(decoder.payload(), &scratch);
    ASSERT_TRUE(read.ok()) << name << ": " << read.error().text();
    if (name == "sealed") {
      EXPECT_EQ(std::get<UnknownKind>(read->body).kind, 9);
      continue;
    }
    ASSERT_TRUE(known.contains(name)) << name;
    EXPECT_EQ(read->body.index(), known.at(name).body.index()) << name;
    EXPECT_EQ(decoder.wrap(), known.at(name).wrap) << name;
    EXPECT_EQ(to_hex(encode_outer_frame(encode_message(read->header, read->body), decoder.wrap())),
              to_hex(wire))
        << name;
  }
}

TEST_F(WireFormat, ThePartsOfThePageMakeTheBatchOfThePage) {
  Blocks examples = read_blocks("frame");
  Bytes joined;
  for (const char* name : {"part-first", "part-final"}) {
    const ByteView part =
        ByteView(examples[name]).subspan(kOuterHeaderBytes + kNativeHeaderBytes + kPartHeaderBytes);
    joined.insert(joined.end(), part.begin(), part.end());
  }
  const auto whole = ByteView(examples["batch"]).subspan(kOuterHeaderBytes + kNativeHeaderBytes);
  EXPECT_EQ(to_hex(joined), to_hex(whole));
}

TEST_F(WireFormat, EveryKindHasAnExample) {
  std::set<int> kinds;
  for (const auto& [name, wire] : read_blocks("frame"))
    if (name != "probe-wrapped") kinds.insert(wire.at(kOuterHeaderBytes + 1));
  EXPECT_THAT(kinds, testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
}

}  // namespace
}  // namespace tidegate
