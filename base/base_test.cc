// SPDX-License-Identifier: Apache-2.0
// Errors, results, bytes, hashes, memory budget.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory_budget.h"
#include "base/paths.h"
#include "base/result.h"

namespace tidegate {
namespace {

TEST(ErrorTest, TextJoinsPlaceDetailSentenceAndContext) {
  const Error error = Error(ErrorCode::kChecksum, "stored 1, computed 2")
                          .at_path("/j/1.seg")
                          .at_line(3, 4)
                          .in_pipe("p")
                          .from_peer("10.0.0.1:9")
                          .at_sequence(7);
  EXPECT_EQ(error.text(),
            "/j/1.seg:3:4: stored 1, computed 2: the stored and the computed checksum differ "
            "(pipe p, peer 10.0.0.1:9, sequence 7)");
}

TEST(ErrorTest, TextWithoutAPathNamesTheLine) {
  EXPECT_EQ(Error(ErrorCode::kMalformed, "x").at_line(2).text(),
            "line 2: x: the input does not follow the format");
  EXPECT_EQ(Error().text(), "an assumption of the program does not hold");
}

TEST(ErrorTest, NothingIsSaidTwice) {
  EXPECT_EQ(Error(ErrorCode::kIo, "cannot listen on 0.0.0.0:1: Address already in use").text(),
            "cannot listen on 0.0.0.0:1: Address already in use");
  const std::string inner = Error(ErrorCode::kNotFound, "database x").in_pipe("p").text();
  EXPECT_EQ(Error(ErrorCode::kNotFound, inner).text(), "database x: it does not exist (pipe p)");
  EXPECT_EQ(Error(ErrorCode::kIo, "").text(), "the operating system reports an input or output error");
}

TEST(ErrorTest, EveryCodeHasItsOwnNameAndSentence) {
  std::set<std::string_view> names;
  std::set<std::string_view> sentences;
  const auto last = static_cast<int>(ErrorCode::kInternal);
  for (int i = 0; i <= last; ++i) {
    names.insert(error_name(static_cast<ErrorCode>(i)));
    sentences.insert(error_sentence(static_cast<ErrorCode>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(last + 1));
  EXPECT_EQ(sentences.size(), names.size());
  EXPECT_EQ(error_name(ErrorCode::kTruncated), "kTruncated");
}

Result<int> half(int value) {
  if (value % 2 != 0) return Error(ErrorCode::kInvalidArgument, "odd");
  return value / 2;
}
Result<int> quarter(int value) {
  TG_TRY(const int once, half(value));
  TG_TRY(const int twice, half(once));
  return twice;
}
Status divisible(int value) {
  TG_CHECK(half(value).ok() ? Status() : Status(Error(ErrorCode::kRefused, "no")));
  return {};
}

TEST(ResultTest, TryUnwrapsOrReturnsTheError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().detail, "odd");
  EXPECT_TRUE(divisible(2).ok());
  EXPECT_EQ(divisible(3).error().code, ErrorCode::kRefused);
}

TEST(ResultTest, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 5);
}

TEST(BytesTest, WhatIsWrittenIsReadBack) {
  Bytes buffer;
  ByteWriter w(buffer);
  w.u8(1);
  w.u16(0x0203);
  w.u32(0x04050607);
  w.i64(-2);
  w.u32_be(0x01020304);
  w.u64_be(5);
  w.str32("text");
  w.patch_u32(3, 9);
  ByteReader r(buffer);
  EXPECT_EQ(r.u8(), 1);
  EXPECT_EQ(r.u16(), 0x0203);
  EXPECT_EQ(r.u32(), 9U);
  EXPECT_EQ(r.i64(), -2);
  EXPECT_EQ(r.u32_be(), 0x01020304U);
  EXPECT_EQ(r.u64_be(), 5U);
  EXPECT_EQ(r.str32(), "text");
  EXPECT_TRUE(r.ok() && r.at_end());
}

TEST(BytesTest, BigAndLittleEndianAreAsTheirNamesSay) {
  Bytes buffer;
  ByteWriter w(buffer);
  w.u16(0x0102);
  w.u32_be(0x03040506);
  EXPECT_EQ(to_hex(buffer), "020103040506");
}

TEST(BytesTest, EveryReadAfterAFailureGivesZeroAndStaysFailed) {
  const Bytes input = {1, 2, 3};
  ByteReader r(input);
  EXPECT_EQ(r.u32(), 0U);
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(r.u8(), 0);
  EXPECT_TRUE(r.bytes(1).empty());
  EXPECT_FALSE(r.ok());
}

TEST(BytesTest, ALengthAboveTheRestFailsBeforeAnythingIsAllocated) {
  const Bytes input = {0xff, 0xff, 0xff, 0xff, 1};
  ByteReader text(input);
  EXPECT_TRUE(text.str32().empty());
  EXPECT_FALSE(text.ok());
  ByteReader list(input);
  EXPECT_EQ(list.count32(1), 0U);
  EXPECT_FALSE(list.ok());
}

TEST(BytesTest, HexIsReadInBothCasesAndRefusedOtherwise) {
  Bytes out;
  ASSERT_TRUE(from_hex("00fFA1", &out));
  EXPECT_EQ(out, (Bytes{0x00, 0xff, 0xa1}));
  EXPECT_FALSE(from_hex("0", &out));
  EXPECT_FALSE(from_hex("0g", &out));
}

TEST(HashTest, Xxh3IsWrittenCanonically) {
  Bytes input;
  ASSERT_TRUE(
      from_hex("010103000100000073010000000105000000706c616e74010000006d0100000001000000760600010000000100000"
               "00100000075010000"
               "003101000000010000000000000000000000000000e03f",
               &input));
  EXPECT_EQ(xxh3_128(input).hex(), "aa203ef66180c003405e96f78fdf655c");
}

TEST(HashTest, Crc32IsThatOfZlibAndContinues) {
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926U);
  EXPECT_EQ(crc32(as_bytes("6789"), crc32(as_bytes("12345"))), 0xcbf43926U);
  EXPECT_EQ(crc32({}), 0U);
}

TEST(HashTest, Sha256IsThatOfFips180) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HashTest, AnIdIsReadAndIsZeroWhereTheInputEnds) {
  const Bytes input(17, 7);
  ByteReader r(input);
  EXPECT_EQ(read16(r).hex(), std::string("07070707070707070707070707070707"));
  EXPECT_TRUE(read16(r).is_zero());
  EXPECT_FALSE(r.ok());
}

TEST(PathsTest, APathLiesInAFolderByItsPartsAndNotByItsLetters) {
  EXPECT_TRUE(is_within("/data/journal/x", "/data"));
  EXPECT_TRUE(is_within("/data/", "//data/."));
  EXPECT_TRUE(is_within("/data/x/../journal", "/data/journal"));
  EXPECT_TRUE(is_within("/data", "/"));
  EXPECT_FALSE(is_within("/database", "/data"));
  EXPECT_FALSE(is_within("/data", "/data/x"));
}

TEST(MemoryBudgetTest, ALeaseGivesItsCreditsBack) {
  MemoryBudget budget(10);
  {
    MemoryBudget::Lease lease = budget.take(7);
    EXPECT_TRUE(lease);
    EXPECT_FALSE(budget.take(4));
    MemoryBudget::Lease moved = std::move(lease);
    EXPECT_EQ(moved.bytes(), 7U);
    EXPECT_EQ(budget.used(), 7U);
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(MemoryBudgetTest, ARequestAboveTheLimitNeverSucceeds) {
  MemoryBudget budget(10);
  EXPECT_FALSE(budget.take(11));
  EXPECT_FALSE(budget.take(UINT64_MAX));
  EXPECT_TRUE(budget.take(10));
}

TEST(MemoryBudgetTest, ThreadsNeverHoldMoreThanTheLimit) {
  MemoryBudget budget(100);
  std::atomic<bool> exceeded = false;
  const auto work = [&] {
    for (int i = 0; i < 20'000; ++i) {
      const auto lease = budget.take(40);
      if (budget.used() > budget.limit()) exceeded = true;
    }
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace tidegate
