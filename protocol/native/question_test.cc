// SPDX-License-Identifier: Apache-2.0
// What makes single bytes believable: calibration, pairs and proofs against every stray byte, stuck device,
// inverted and turning polarity that the wire format claims to withstand. Exhaustive, not sampled.
#include "protocol/native/question.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

namespace tidegate {
namespace {

using Answers = std::vector<Byte>;

// The right answers of a question whose truth is yes or no, or of one that cannot be answered now.
enum class Truth : std::uint8_t { kYes, kNo, kNotNow };
Answers right_answers(QuestionKind kind, Truth truth) {
  Answers out;
  for (const StepKind step : question_steps(kind)) {
    const bool ok = step == StepKind::kProbeOk || (step == StepKind::kAsk && truth == Truth::kYes) ||
                    (step == StepKind::kAskNot && truth == Truth::kNo);
    out.push_back(ok ? Byte::kOk : Byte::kFail);
  }
  return out;
}
Answers right_calibration() {
  Answers out;
  for (const bool ok : kCalibration) out.push_back(ok ? Byte::kOk : Byte::kFail);
  return out;
}
Byte opposite(Byte b) {
  return b == Byte::kOk ? Byte::kFail : Byte::kOk;
}

using Check = std::function<void(const Answers&)>;

// A burst of one to four stray bytes of any values, at any place.
void with_burst(const Answers& answers, const Check& check) {
  for (std::size_t count = 1; count <= 4; ++count)
    for (unsigned bits = 0; bits < 1U << count; ++bits)
      for (std::size_t at = 0; at <= answers.size(); ++at) {
        Answers more = answers;
        for (std::size_t i = 0; i < count; ++i)
          more.insert(more.begin() + static_cast<std::ptrdiff_t>(at),
                      (bits >> i & 1U) != 0 ? Byte::kOk : Byte::kFail);
        check(more);
      }
}

// `count` stray bytes of any values, each at a place of its own.
void with_scattered(const Answers& answers, std::size_t count, const Check& check, std::size_t from = 0) {
  if (count == 0) return check(answers);
  for (std::size_t at = from; at <= answers.size(); ++at)
    for (const Byte value : {Byte::kOk, Byte::kFail}) {
      Answers more = answers;
      more.insert(more.begin() + static_cast<std::ptrdiff_t>(at), value);
      with_scattered(more, count - 1, check, at);
    }
}

// Calls `check` with the answers as they are read when the polarity turns before answer `at`, for each `at`.
void with_turn(const Answers& answers, const Check& check) {
  for (std::size_t at = 0; at <= answers.size(); ++at) {
    Answers turned = answers;
    for (std::size_t i = at; i < turned.size(); ++i) turned[i] = opposite(turned[i]);
    check(turned);
  }
}

// What the asker sees: it stops to read when it has as many as it asked for.
Answers seen(const Answers& stream, std::size_t asked) {
  return {stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(asked)};
}

TEST(Calibration, TheRightPatternIsTheOnlyGoodOne) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    Answers answers;
    for (unsigned i = 0; i < 6; ++i) answers.push_back((bits >> i & 1U) != 0 ? Byte::kOk : Byte::kFail);
    EXPECT_EQ(judge_calibration(answers) == CalibrationVerdict::kGood, answers == right_calibration());
  }
}

TEST(Calibration, NothingIsJudgedBeforeSixAnswers) {
  Answers answers = right_calibration();
  answers.pop_back();
  EXPECT_EQ(judge_calibration(answers), CalibrationVerdict::kMore);
}

TEST(Calibration, OneToFourStrayBytesInFrontAreDetectedWithCertainty) {
  for (std::size_t count = 1; count <= 4; ++count)
    for (unsigned bits = 0; bits < 1U << count; ++bits) {
      Answers stream;
      for (std::size_t i = 0; i < count; ++i)
        stream.push_back((bits >> i & 1U) != 0 ? Byte::kOk : Byte::kFail);
      const Answers right = right_calibration();
      stream.insert(stream.end(), right.begin(), right.end());
      const CalibrationVerdict verdict = judge_calibration(seen(stream, 6));
      EXPECT_NE(verdict, CalibrationVerdict::kGood) << count << " strays " << bits;
      EXPECT_NE(verdict, CalibrationVerdict::kInverted) << "strays must not pass for inverted polarity";
    }
}

TEST(Calibration, OneToFourStrayBytesInFrontOfAnInvertedDeviceAreNotGood) {
  for (std::size_t count = 1; count <= 4; ++count)
    for (unsigned bits = 0; bits < 1U << count; ++bits) {
      Answers stream;
      for (std::size_t i = 0; i < count; ++i)
        stream.push_back((bits >> i & 1U) != 0 ? Byte::kOk : Byte::kFail);
      for (const Byte b : right_calibration()) stream.push_back(opposite(b));
      EXPECT_NE(judge_calibration(seen(stream, 6)), CalibrationVerdict::kGood);
    }
}

TEST(Calibration, StuckAndInvertedDevicesAreNamed) {
  EXPECT_EQ(judge_calibration(Answers(6, Byte::kOk)), CalibrationVerdict::kStuckOk);
  EXPECT_EQ(judge_calibration(Answers(6, Byte::kFail)), CalibrationVerdict::kStuckFail);
  Answers inverted;
  for (const Byte b : right_calibration()) inverted.push_back(opposite(b));
  EXPECT_EQ(judge_calibration(inverted), CalibrationVerdict::kInverted);
  EXPECT_STREQ(std::strstr(calibration_text(CalibrationVerdict::kInverted), "(exchange"),
               "(exchange answer_ok and answer_fail)")
      << "the keys as a profile spells them";
}

TEST(Calibration, APolarityTurnedInItsMiddleIsNotGood) {
  int turns = 0;
  with_turn(right_calibration(), [&](const Answers& read) {
    const bool untouched = turns++ == 6;
    EXPECT_EQ(judge_calibration(read) == CalibrationVerdict::kGood, untouched);
  });
}

TEST(Question, YesNoAndNotNowHaveOnePatternEach) {
  for (const QuestionKind kind : {QuestionKind::kPair, QuestionKind::kProof}) {
    EXPECT_EQ(judge_question(kind, right_answers(kind, Truth::kYes)), Verdict::kYes);
    EXPECT_EQ(judge_question(kind, right_answers(kind, Truth::kNo)), Verdict::kNo);
    EXPECT_EQ(judge_question(kind, right_answers(kind, Truth::kNotNow)), Verdict::kNotNow);
    const std::size_t size = question_steps(kind).size();
    std::size_t believed = 0;
    for (unsigned bits = 0; bits < 1U << size; ++bits) {
      Answers answers;
      for (std::size_t i = 0; i < size; ++i)
        answers.push_back((bits >> i & 1U) != 0 ? Byte::kOk : Byte::kFail);
      believed += judge_question(kind, answers) != Verdict::kDoubt ? 1 : 0;
    }
    EXPECT_EQ(believed, 3U);
  }
}

TEST(Question, AProofIsTheEightFramesOfTheWireFormat) {
  using enum StepKind;
  EXPECT_EQ(question_steps(QuestionKind::kProof),
            (std::vector<StepKind>{kProbeOk, kAsk, kAsk, kProbeFail, kAskNot, kAsk, kAskNot, kProbeFail}));
}

TEST(Question, AStuckDeviceNeverAnswersAPair) {
  EXPECT_EQ(judge_question(QuestionKind::kPair, Answers(2, Byte::kOk)), Verdict::kDoubt);
  EXPECT_EQ(judge_question(QuestionKind::kPair, Answers(2, Byte::kFail)), Verdict::kNotNow);
}

TEST(Proof, AStuckDeviceIsDoubt) {
  EXPECT_EQ(judge_question(QuestionKind::kProof, Answers(8, Byte::kOk)), Verdict::kDoubt);
  EXPECT_EQ(judge_question(QuestionKind::kProof, Answers(8, Byte::kFail)), Verdict::kDoubt);
}

class ProofOfWhatIsNotTrue : public testing::TestWithParam<Truth> {};
INSTANTIATE_TEST_SUITE_P(Truth, ProofOfWhatIsNotTrue, testing::Values(Truth::kNo, Truth::kNotNow));

void is_no_yes(const Answers& stream) {
  ASSERT_NE(judge_question(QuestionKind::kProof, seen(stream, 8)), Verdict::kYes);
}

TEST_P(ProofOfWhatIsNotTrue, ABurstOfOneToFourStrayBytesAnywhereMakesNoYes) {
  with_burst(right_answers(QuestionKind::kProof, GetParam()), is_no_yes);
}

TEST_P(ProofOfWhatIsNotTrue, APolarityTurnedAtAnyMomentMakesNoYes) {
  with_turn(right_answers(QuestionKind::kProof, GetParam()), is_no_yes);
}

TEST_P(ProofOfWhatIsNotTrue, ABurstAndATurnTogetherMakeNoYes) {
  with_burst(right_answers(QuestionKind::kProof, GetParam()),
             [](const Answers& stream) { with_turn(stream, is_no_yes); });
}

// The polarity turns at the device: stray bytes that were on their way are not turned with the answers.
TEST_P(ProofOfWhatIsNotTrue, ABurstAmongTurnedAnswersMakesNoYes) {
  with_turn(right_answers(QuestionKind::kProof, GetParam()),
            [](const Answers& turned) { with_burst(turned, is_no_yes); });
}

TEST_P(ProofOfWhatIsNotTrue, TwoScatteredStrayBytesMakeNoYes) {
  for (std::size_t count = 1; count <= 2; ++count)
    with_scattered(right_answers(QuestionKind::kProof, GetParam()), count, is_no_yes);
}

TEST(Proof, ThreeScatteredStrayBytesMakeNoYesOfANo) {
  with_scattered(right_answers(QuestionKind::kProof, Truth::kNo), 3, is_no_yes);
}

// The limit of the pattern, kept here so that nobody claims more: a stray byte of the right value before
// every second answer. As many answers come too many afterwards, which is doubt, but after the verdict.
TEST(Proof, FourScatteredStrayBytesOfTheRightValuesCanMakeAYesOfANo) {
  bool found = false;
  with_scattered(right_answers(QuestionKind::kProof, Truth::kNo), 4, [&](const Answers& stream) {
    found |= judge_question(QuestionKind::kProof, seen(stream, 8)) == Verdict::kYes;
  });
  EXPECT_TRUE(found);
}

// Why a pair is not enough for what cannot be undone.
TEST(Pair, OneStrayByteCanMakeAYesOfANo) {
  EXPECT_EQ(judge_question(QuestionKind::kPair, {Byte::kOk, Byte::kFail}), Verdict::kYes);
}

}  // namespace
}  // namespace tidegate
