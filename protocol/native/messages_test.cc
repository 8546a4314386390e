// SPDX-License-Identifier: Apache-2.0
// Messages: what is encoded is read back, and what is not a message is refused before it costs memory.
#include "protocol/native/messages.h"

#include <gtest/gtest.h>

#include "protocol/native/random_messages.h"

namespace tidegate {
namespace {

Result<Message> decode(ByteView payload) {
  static Bytes scratch;
  return decode_message(payload, &scratch);
}

// A payload: header of `kind`, then body bytes written by the test.
template <class F>
Bytes payload(FrameKind kind, StreamId stream, F write_body) {
  Bytes out =
      encode_message({FrameKind::kProbe, 1, stream, 0, 1, 0}, UnknownKind{static_cast<std::uint8_t>(kind)});
  ByteWriter writer(out);
  write_body(writer);
  return out;
}

class EveryKind : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Message, EveryKind, testing::Range(0, RandomMessages::kKinds));

TEST_P(EveryKind, RandomValuesAreReadBackPlainAndSalted) {
  RandomMessages random(static_cast<std::uint32_t>(GetParam()) + 1);
  for (int i = 0; i < 2000; ++i) {
    const MessageBody body = random.body(GetParam());
    const NativeHeader header = random.header(body, i % 2 == 1);
    const Bytes wire = encode_message(header, body);
    Bytes scratch;
    const auto read = decode_message(wire, &scratch);
    ASSERT_TRUE(read.ok()) << read.error().text();
    ASSERT_EQ(read->body.index(), body.index());
    ASSERT_EQ(read->header.session, header.session);
    ASSERT_EQ(read->header.stream, header.stream);
    ASSERT_EQ(read->header.lane, header.lane);
    ASSERT_EQ(read->header.frame_number, header.frame_number);
    ASSERT_EQ(read->header.salt, header.salt);
    ASSERT_EQ(to_hex(encode_message(read->header, read->body)), to_hex(wire));
  }
}

TEST_P(EveryKind, EveryTruncationIsRefused) {
  // What ends with "the rest" is as long as it is: only its fixed part can be cut.
  RandomMessages random(static_cast<std::uint32_t>(GetParam()) + 100);
  for (int i = 0; i < 200; ++i) {
    const MessageBody body = random.body(GetParam());
    const Bytes wire = encode_message(random.header(body, i % 2 == 1), body);
    std::size_t fixed = wire.size();
    if (const auto* batch = std::get_if<BatchFrame>(&body)) fixed -= batch->container.size();
    if (std::holds_alternative<PartFrame>(body)) fixed = kNativeHeaderBytes + kPartHeaderBytes + 1;
    for (std::size_t size = 0; size < fixed; ++size)
      ASSERT_FALSE(decode(ByteView(wire).subspan(0, size)).ok()) << size << " of " << wire.size();
  }
}

TEST_P(EveryKind, ATrailingByteIsRefusedWhereTheBodyHasAnEnd) {
  RandomMessages random(static_cast<std::uint32_t>(GetParam()) + 200);
  const MessageBody body = random.body(GetParam());
  if (std::holds_alternative<BatchFrame>(body) || std::holds_alternative<PartFrame>(body) ||
      std::holds_alternative<UnknownKind>(body))
    return;
  Bytes wire = encode_message(random.header(body, false), body);
  wire.push_back(0);
  EXPECT_FALSE(decode(wire).ok());
}

TEST(Message, CountsThatLieAreRefusedBeforeAnythingIsAllocatedForThem) {
  // Each would ask for tens of gigabytes if it were believed; the test would not survive it.
  constexpr std::uint32_t kLie = 0xffffffff;
  EXPECT_FALSE(decode(payload(FrameKind::kBatch, 1, [](ByteWriter& w) {
                 w.u64(1), w.bytes(Bytes16{}.view()), w.u32(kLie);
               })).ok());
  EXPECT_FALSE(
      decode(payload(FrameKind::kAsk, 1, [](ByteWriter& w) { w.u8(2), w.u8(0), w.u32(kLie); })).ok());
  EXPECT_FALSE(decode(payload(FrameKind::kEnd, 1, [](ByteWriter& w) { w.u32(kLie); })).ok());
  EXPECT_FALSE(decode(payload(FrameKind::kBeat, 0, [](ByteWriter& w) { w.i64(0), w.u32(kLie); })).ok());
  EXPECT_FALSE(decode(payload(FrameKind::kHello, 1, [](ByteWriter& w) {
                 w.bytes(Bytes(4 + 8 + 16 + 8 + 16 + 8)), w.u32(0), w.u32(kLie);
               })).ok());
}

TEST(Message, ABatchFrameNamesAtLeastOneBatchAndNoNumberRunsOver) {
  BatchFrame batch{1, {}, {{}}, {}, 0, 0, {}};
  const auto refused = [&] { return !decode_batch_body(encode_batch_body(batch)).ok(); };
  EXPECT_FALSE(refused());
  batch.first_seq = 0;
  EXPECT_TRUE(refused());
  batch.first_seq = ~0ULL;
  EXPECT_FALSE(refused());
  batch.hashes.resize(2);
  EXPECT_TRUE(refused());
  batch.first_seq = 1;
  EXPECT_FALSE(refused());
  batch.hashes.clear();
  EXPECT_TRUE(refused());
}

TEST(Message, MoreThanEightHopsAreRefused) {
  BatchFrame batch{1, {}, {{}}, std::vector<Id>(kMaxHops), 0, 0, {}};
  EXPECT_TRUE(decode_batch_body(encode_batch_body(batch)).ok());
  batch.hops.emplace_back();
  EXPECT_FALSE(decode_batch_body(encode_batch_body(batch)).ok());
}

TEST(Message, APartLiesInsideItsTotalAndIsNotEmpty) {
  const Bytes data(5);
  const auto taken = [](const PartFrame& part) { return decode(encode_message({.stream = 1}, part)).ok(); };
  EXPECT_TRUE(taken({1, 10, 15, data}));
  EXPECT_FALSE(taken({1, 11, 15, data}));
  EXPECT_FALSE(taken({1, 0xffffffff, 3, data}));
  EXPECT_FALSE(taken({0, 10, 15, data}));
  EXPECT_FALSE(taken({1, 10, 15, {}}));
}

TEST(Message, AGapRunsForwardFromOneOn) {
  const auto taken = [](Seq from, Seq to) {
    return decode(encode_message({.stream = 1}, GapFrame{from, to, {}, {}, 1, 0, 0, 0})).ok();
  };
  EXPECT_TRUE(taken(1, 1));
  EXPECT_FALSE(taken(0, 1));
  EXPECT_FALSE(taken(2, 1));
}

TEST(Message, ABeatCarriesAtMost64KiB) {
  EXPECT_TRUE(decode(encode_message({}, Beat{0, std::string(kMaxBeatJson, ' ')})).ok());
  EXPECT_FALSE(decode(encode_message({}, Beat{0, std::string(kMaxBeatJson + 1, ' ')})).ok());
}

TEST(Message, APredicateThatIsNotKnownIsAQuestionAllTheSame) {
  const auto read = decode(payload(FrameKind::kAsk, 1, [](ByteWriter& w) { w.u8(77), w.u8(1), w.u32(5); }));
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(std::get<Ask>(read->body).negated);
}

TEST(Message, AnotherVersionIsUnsupportedAndGivesNoHeader) {
  Bytes wire = encode_message({.session = 5, .frame_number = 1}, Probe{});
  wire[0] = 0x81;
  NativeHeader header;
  Bytes scratch;
  const auto read = decode_message(wire, &scratch, &header);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(header.session, 0U);
}

TEST(Message, AMalformedBodyStillGivesItsHeader) {
  const Bytes wire = encode_message({.session = 5, .stream = 3, .frame_number = 7}, Probe{});
  NativeHeader header;
  Bytes scratch;
  ASSERT_FALSE(decode_message(ByteView(wire).subspan(0, kNativeHeaderBytes), &scratch, &header).ok());
  EXPECT_EQ(header.frame_number, 7U);
  EXPECT_EQ(header.stream, 3U);
}

TEST(Message, SealedIsReservedAndReadAsUnknown) {
  const auto read = decode(payload(FrameKind::kSealed, 1, [](ByteWriter& w) { w.u8(1), w.u32(0); }));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(std::get<UnknownKind>(read->body).kind, 9);
}

TEST(Salt, IsItsOwnInverseAndHidesTheBodyOnly) {
  RandomMessages random(5);
  const MessageBody body = random.body(3);
  NativeHeader header{.session = 3, .stream = 1, .frame_number = 2};
  const Bytes plain = encode_message(header, body);
  header.salt = 0xdeadbeef;
  Bytes salted = encode_message(header, body);
  EXPECT_TRUE(std::equal(plain.begin(), plain.begin() + kSaltOffset, salted.begin()));
  EXPECT_NE(Bytes(plain.begin() + kNativeHeaderBytes, plain.end()),
            Bytes(salted.begin() + kNativeHeaderBytes, salted.end()));
  apply_salt(header.salt, std::span(salted).subspan(kNativeHeaderBytes));
  EXPECT_TRUE(
      std::equal(plain.begin() + kNativeHeaderBytes, plain.end(), salted.begin() + kNativeHeaderBytes));
}

TEST(Salt, AnyLengthIsMaskedToItsLastByte) {
  for (std::size_t size = 0; size <= 33; ++size) {
    Bytes zeros(size);
    apply_salt(1, zeros);
    std::uint64_t state = 1;
    Bytes expected;
    ByteWriter writer(expected);
    while (expected.size() < size) writer.u64(split_mix64(&state));
    expected.resize(size);
    ASSERT_EQ(zeros, expected) << size;
  }
}

}  // namespace
}  // namespace tidegate
