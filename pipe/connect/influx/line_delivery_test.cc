// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/line_delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace tidegate {
namespace {

using influx::TargetAnswer;
using influx::Verdict;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A server that refuses the lines in `bad`. How much it says about them is what the tests vary.
class LineDeliveryTest : public ::testing::Test {
 protected:
  enum class Words { kNothing, kDropped, kNamed, kNumbered, kConflict };

  void add(const std::string& line, bool is_bad = false) {
    body_.text += line + "\n";
    body_.lines.push_back({body_.text.size(), body_.lines.size() + 1});
    if (is_bad) bad_.insert(line);
  }
  TargetAnswer answer(std::string_view text) {
    ++requests_;
    largest_ = std::max(largest_, text.size());
    std::vector<std::string> lines, refused;
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    if (text.size() > too_large_) return refuse(413, "too large");
    if (requests_ == fails_at_) return refuse(503, "down", "9");
    for (const std::string& line : lines) {
      if (bad_.contains(line)) refused.push_back(line);
    }
    if (refused.empty() || partial_) {
      for (const std::string& line : lines) {
        if (!bad_.contains(line)) stored_lines_.push_back(line);
      }
    }
    return refused.empty() ? influx::parse_error_body(204, "") : complain(lines, refused);
  }
  TargetAnswer complain(const std::vector<std::string>& lines, const std::vector<std::string>& refused) {
    switch (words_) {
      case Words::kNothing:
        return refuse(400, "field type conflict");
      case Words::kDropped:
        return refuse(
            400, "partial write: points beyond retention policy dropped=" + std::to_string(refused.size()));
      case Words::kNamed:
        return refuse(400, "partial write: unable to parse '" + refused[0] + "': invalid number dropped=0");
      case Words::kConflict:
        return refuse(
            400,
            R"(partial write: field type conflict: input field \"v\" on measurement \"m\" is type integer, already exists as type float dropped=)" +
                std::to_string(refused.size()));
      case Words::kNumbered: {
        const auto at = std::ranges::find(lines, refused[0]) - lines.begin();
        return influx::parse_error_body(
            400, R"({"error":"partial write of line protocol occurred","data":[{"original_line":")" +
                     refused[0].substr(0, 5) + R"(","line_number":)" + std::to_string(at + 1) +
                     R"(,"error_message":"no good"}]})");
      }
    }
    return {};
  }
  static TargetAnswer refuse(int status, const std::string& error, const std::string& retry_after = "") {
    return influx::parse_error_body(status, "{\"error\":\"" + error + "\"}", retry_after);
  }
  std::optional<TargetAnswer> deliver() {
    LineDelivery delivery([this](std::string_view text) { return answer(text); }, &limits_);
    return delivery.deliver(body_, &dead_, &stored_);
  }
  std::vector<Lsn> dead_lsns() {
    std::vector<Lsn> out;
    for (const DeadLetter& letter : dead_) out.push_back(letter.lsn);
    std::ranges::sort(out);
    return out;
  }
  // Every line is either stored at the server or a dead letter, and no bad one was stored.
  void expect_all_settled() {
    const std::set<std::string> stored(stored_lines_.begin(), stored_lines_.end());
    std::set<std::string> dead;
    for (const DeadLetter& letter : dead_)
      EXPECT_TRUE(dead.insert(letter.line).second) << "twice: " << letter.line;
    EXPECT_EQ(dead, bad_);
    EXPECT_EQ(stored.size() + dead.size(), body_.lines.size());
    EXPECT_EQ(stored_ + dead.size(), body_.lines.size());
  }

  LineBody body_;
  BodyLimits limits_;
  std::set<std::string> bad_;
  Words words_ = Words::kNothing;
  bool partial_ = true;
  std::size_t too_large_ = SIZE_MAX;
  int fails_at_ = -1;
  int requests_ = 0;
  std::size_t largest_ = 0;
  std::vector<std::string> stored_lines_;
  std::vector<DeadLetter> dead_;
  std::uint64_t stored_ = 0;
};

TEST_F(LineDeliveryTest, GoodLinesGoInRequestsOfTheLimits) {
  for (int i = 0; i < 25; ++i) add("m v=" + std::to_string(i));
  limits_.lines = 10;
  EXPECT_FALSE(deliver().has_value());
  EXPECT_EQ(requests_, 3);
  limits_ = {1000, 60};
  EXPECT_FALSE(deliver().has_value());
  EXPECT_LE(largest_, 90u);
}

TEST_F(LineDeliveryTest, ANamedLineCostsOneMoreRequest) {
  for (int i = 0; i < 100; ++i) add("m v=" + std::to_string(i), i == 41);
  words_ = Words::kNamed;
  EXPECT_FALSE(deliver().has_value());
  EXPECT_EQ(requests_, 2);
  EXPECT_THAT(dead_[0].reason, HasSubstr("invalid number"));
  expect_all_settled();
}

TEST_F(LineDeliveryTest, ALineNamedByNumberIsFoundThoughItWasCut) {
  for (int i = 0; i < 100; ++i) add("m v=" + std::to_string(i), i == 41);
  words_ = Words::kNumbered;
  EXPECT_FALSE(deliver().has_value());
  EXPECT_EQ(requests_, 2);
  EXPECT_THAT(dead_lsns(), ElementsAre(42));
  expect_all_settled();
}

TEST_F(LineDeliveryTest, WithoutAWordTheBadLinesAreFoundByHalves) {
  for (int i = 0; i < 1000; ++i) add("m v=" + std::to_string(i), i == 0 || i == 500 || i == 999);
  partial_ = false;
  EXPECT_FALSE(deliver().has_value());
  EXPECT_THAT(dead_lsns(), ElementsAre(1, 501, 1000));
  EXPECT_LT(requests_, 3 * 2 * 11);
  expect_all_settled();
}

TEST_F(LineDeliveryTest, WhenAllWereDroppedNothingIsSearched) {
  for (int i = 0; i < 1000; ++i) add("m v=" + std::to_string(i), true);
  words_ = Words::kDropped;
  EXPECT_FALSE(deliver().has_value());
  EXPECT_EQ(requests_, 1);
  expect_all_settled();
}

TEST_F(LineDeliveryTest, AConflictOfOneFieldCostsAFewRequestsHoweverManyLinesHaveIt) {
  for (int i = 0; i < 1000; ++i) {
    const std::string n = std::to_string(i);
    i % 2 == 0 ? add("m,t=" + n + " v=" + n + "i", true) : add("m,t=" + n + " a=1i,v=" + n + ".5");
  }
  add("mm v=1i");
  words_ = Words::kConflict;
  EXPECT_FALSE(deliver().has_value());
  EXPECT_EQ(requests_, 3);
  expect_all_settled();
}

TEST_F(LineDeliveryTest, LinesThatAreNotToBlameForAConflictAreNotRefused) {
  for (int i = 0; i < 64; ++i) add("m,t=" + std::to_string(i) + " v=1i", i % 7 == 0);
  words_ = Words::kConflict;
  EXPECT_FALSE(deliver().has_value());
  expect_all_settled();
}

TEST_F(LineDeliveryTest, ATooLargeBodyIsHalvedAndTheLimitStaysLow) {
  for (int i = 0; i < 100; ++i) add("m v=" + std::to_string(i));
  too_large_ = 200;
  EXPECT_FALSE(deliver().has_value());
  EXPECT_LE(limits_.bytes, 200u);
  expect_all_settled();
}

TEST_F(LineDeliveryTest, ALineThatIsTooLargeAloneIsRefused) {
  add("m v=1");
  add("m v=\"" + std::string(300, 'x') + "\"", true);
  add("m v=2");
  too_large_ = 200;
  EXPECT_FALSE(deliver().has_value());
  expect_all_settled();
}

TEST_F(LineDeliveryTest, ABusyServerEndsTheAttemptWithItsWish) {
  for (int i = 0; i < 100; ++i) add("m v=" + std::to_string(i), i == 50);
  fails_at_ = 4;
  const auto ended = deliver();
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->verdict, Verdict::kRetry);
  EXPECT_EQ(ended->retry_after, 9u);
}

// Whatever the server says about the bad lines, none is missed and none is refused for another's fault.
TEST_F(LineDeliveryTest, AnyMixtureOfBadLinesIsSettled) {
  for (int round = 0; round < 60; ++round) {
    body_ = {};
    bad_.clear();
    stored_lines_.clear();
    dead_.clear();
    stored_ = 0;
    const int count = 1 + (round * 37) % 90;
    for (int i = 0; i < count; ++i) {
      const bool bad = (i * 2654435761U >> 7) % 10 < static_cast<unsigned>(round % 11);
      add("m,t=" + std::to_string(i) + " v=" + std::to_string(i) + (i % 3 == 0 ? "i" : ""), bad);
    }
    words_ = static_cast<Words>(round % 5);
    partial_ = words_ != Words::kNothing;
    ASSERT_FALSE(deliver().has_value());
    expect_all_settled();
  }
}

// Also what was set apart and what was never sent; what is stored or refused already is left alone.
TEST_F(LineDeliveryTest, GivingUpMakesADeadLetterOfEveryLineThatIsLeftAndOfNoOther) {
  limits_.lines = 10;
  words_ = Words::kNamed;
  for (int i = 0; i < 50; ++i) add("m v=" + std::to_string(i) + " " + std::to_string(i), i == 3);
  fails_at_ = 4;
  LineDelivery delivery([this](std::string_view text) { return answer(text); }, &limits_);
  ASSERT_TRUE(delivery.deliver(body_, &dead_, &stored_).has_value());
  delivery.give_up("no such database");
  EXPECT_EQ(stored_ + dead_.size(), 50u);
  std::set<std::string> all(stored_lines_.begin(), stored_lines_.end());
  EXPECT_EQ(all.size(), stored_);
  for (const DeadLetter& letter : dead_) EXPECT_TRUE(all.insert(letter.line).second) << letter.line;
  EXPECT_EQ(all.size(), 50u);
  EXPECT_EQ(dead_.back().reason, "no such database");
}

}  // namespace
}  // namespace tidegate
