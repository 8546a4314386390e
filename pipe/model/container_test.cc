// SPDX-License-Identifier: Apache-2.0
#include "pipe/model/container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <random>
#include <thread>

namespace tidegate {
namespace {

constexpr std::uint64_t kLimit = 1 << 20;

Bytes list_of(std::initializer_list<std::string_view> batches) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(batches.size()));
  for (const std::string_view batch : batches) writer.str32(batch);
  return out;
}

Bytes zstd(ByteView data, bool with_size = true) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, with_size ? 1 : 0);
  Bytes out(ZSTD_compressBound(data.size()));
  out.resize(ZSTD_compress2(context, out.data(), out.size(), data.data(), data.size()));
  ZSTD_freeCCtx(context);
  return out;
}

ErrorCode refusal(std::uint8_t codec, std::uint32_t decoded_size, ByteView bytes) {
  const auto decoded = decode_container(codec, decoded_size, bytes, kLimit);
  EXPECT_FALSE(decoded.ok());
  return decoded.ok() ? ErrorCode::kInternal : decoded.error().code;
}

TEST(Container, BatchesComeBackAsTheyWere) {
  const std::vector<ByteView> batches{as_bytes("12345678"), as_bytes("a somewhat longer batch"),
                                      as_bytes("12345678")};
  for (const Codec codec : {Codec::kList, Codec::kZstd}) {
    const auto container = encode_container(codec, batches);
    ASSERT_TRUE(container.ok());
    EXPECT_EQ(container->decoded_size, 8U + 23 + 8);
    EXPECT_EQ(container->codec, static_cast<std::uint8_t>(codec));
    const auto decoded =
        decode_container(container->codec, container->decoded_size, container->bytes, kLimit);
    ASSERT_TRUE(decoded.ok()) << decoded.error().text();
    ASSERT_EQ(decoded->batches.size(), batches.size());
    for (std::size_t i = 0; i < batches.size(); ++i) {
      EXPECT_EQ(as_text(decoded->batches[i]), as_text(batches[i]));
    }
  }
}

TEST(Container, ListCodecIsTheListItself) {
  EXPECT_EQ(encode_container(Codec::kList, {as_bytes("12345678")})->bytes, list_of({"12345678"}));
}

TEST(Container, ViewsStayValidWhenTheResultMoves) {
  const auto container = encode_container(Codec::kZstd, {as_bytes("12345678")});
  auto decoded = decode_container(container->codec, container->decoded_size, container->bytes, kLimit);
  const DecodedContainer moved = std::move(decoded).value();
  EXPECT_EQ(as_text(moved.batches[0]), "12345678");
  EXPECT_EQ(moved.batches[0].data(), moved.storage.data() + 8);
}

TEST(Container, NothingOrFragmentsAreNotEncoded) {
  EXPECT_EQ(encode_container(Codec::kList, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_container(Codec::kList, {as_bytes("1234567")}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_container(static_cast<Codec>(2), {as_bytes("12345678")}).error().code,
            ErrorCode::kUnsupported);
}

TEST(Container, DecodedSizeAboveTheLimitIsRefusedFirst) {
  const auto decoded = decode_container(1, kLimit + 1, {}, kLimit);
  EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
}

TEST(Container, UnknownCodecIsUnsupported) {
  EXPECT_EQ(refusal(2, 8, list_of({"12345678"})), ErrorCode::kUnsupported);
}

TEST(Container, SizesThatDoNotAddUpAreMalformed) {
  const Bytes list = list_of({"12345678", "abcdefgh"});
  for (const std::uint32_t size : {0U, 8U, 15U, 17U, 20U}) {
    EXPECT_EQ(refusal(0, size, list), ErrorCode::kMalformed) << size;
    EXPECT_EQ(refusal(1, size, zstd(list)), ErrorCode::kMalformed) << size;
  }
}

TEST(Container, BytesLeftOverAreMalformed) {
  Bytes list = list_of({"12345678", "abcdefgh"});
  list.push_back(0);
  EXPECT_EQ(refusal(0, 16, list), ErrorCode::kMalformed);
  EXPECT_EQ(refusal(1, 16, zstd(list)), ErrorCode::kMalformed);
  Bytes frame = zstd(list_of({"12345678"}));
  frame.push_back(0);
  EXPECT_EQ(refusal(1, 8, frame), ErrorCode::kMalformed);
}

TEST(Container, EmptyListsAndItemsAreMalformed) {
  EXPECT_EQ(refusal(0, 0, list_of({})), ErrorCode::kMalformed);
  EXPECT_EQ(refusal(0, 8, list_of({"", "12345678"})), ErrorCode::kMalformed);
  EXPECT_EQ(refusal(1, 8, zstd(list_of({"", "12345678"}))), ErrorCode::kMalformed);
}

TEST(Container, ACountBeyondTheInputIsMalformed) {
  Bytes list = list_of({"12345678"});
  ByteWriter(list).patch_u32(0, 0xFFFFFFFF);
  EXPECT_EQ(refusal(0, 8, list), ErrorCode::kMalformed);
}

TEST(ContainerBomb, ContentSizeAboveTheDecodedSizeIsRefusedWithoutDecoding) {
  Bytes bomb = zstd(Bytes(64 << 20, 0));
  ASSERT_LT(bomb.size(), 10000U);
  const auto decoded = decode_container(1, 1000, bomb, kLimit);
  EXPECT_EQ(decoded.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(decoded.error().detail, testing::HasSubstr("decodes to 67108864 bytes"));
}

TEST(ContainerBomb, AFrameThatDecodesToMoreThanItSaysIsRefused) {
  Bytes bomb = zstd(Bytes(200, 0));
  ASSERT_EQ(ZSTD_getFrameContentSize(bomb.data(), bomb.size()), 200U);
  bomb[5] = 100;  // the content size, one byte in a small frame
  ASSERT_EQ(ZSTD_getFrameContentSize(bomb.data(), bomb.size()), 100U);
  EXPECT_EQ(refusal(1, 88, bomb), ErrorCode::kMalformed);
}

TEST(ContainerBomb, AFrameWithoutContentSizeIsRefused) {
  EXPECT_EQ(refusal(1, 8, zstd(list_of({"12345678"}), false)), ErrorCode::kMalformed);
}

TEST(ContainerBomb, ASecondFrameAndASkippableFrameAreRefused) {
  const Bytes list = list_of({"12345678", "abcdefgh"});
  Bytes two = zstd(ByteView(list).first(10));
  const Bytes second = zstd(ByteView(list).subspan(10));
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(refusal(1, 16, two), ErrorCode::kMalformed);

  Bytes skippable{0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0};
  const Bytes frame = zstd(list);
  Bytes before = skippable;
  before.insert(before.end(), frame.begin(), frame.end());
  EXPECT_EQ(refusal(1, 16, before), ErrorCode::kMalformed);
  Bytes after = frame;
  after.insert(after.end(), skippable.begin(), skippable.end());
  EXPECT_EQ(refusal(1, 16, after), ErrorCode::kMalformed);
}

TEST(Container, EveryTruncationIsRefused) {
  const Bytes list = list_of({"12345678", "abcdefgh"});
  const Bytes frame = zstd(list);
  for (std::size_t size = 0; size < list.size(); ++size) refusal(0, 16, ByteView(list).first(size));
  for (std::size_t size = 0; size < frame.size(); ++size) refusal(1, 16, ByteView(frame).first(size));
}

TEST(Container, ContextsAreNotSharedBetweenThreads) {
  std::vector<std::jthread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 50; ++i) {
        Bytes batch(8 + random() % 5000);
        for (auto& byte : batch) byte = static_cast<std::uint8_t>(random() % 7);
        const auto container =
            encode_container(Codec::kZstd, {batch, batch}, 1 + static_cast<int>(random() % 5));
        const auto decoded = decode_container(1, container->decoded_size, container->bytes, kLimit);
        ASSERT_TRUE(decoded.ok());
        EXPECT_EQ(to_bytes(decoded->batches[1]), batch);
      }
    });
  }
}

}  // namespace
}  // namespace tidegate
