// SPDX-License-Identifier: Apache-2.0
// What one byte can say, and how several of them make a fact: calibration, pairs and proofs as pure values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace tidegate {

// What came back for one frame, already translated by the profile's polarity.
enum class Byte : std::uint8_t { kOk, kFail };

// The six probes that open every connection: their right answers.
constexpr std::array<bool, 6> kCalibration = {true, true, false, false, true, false};

enum class CalibrationVerdict : std::uint8_t {
  kMore,
  kGood,
  kInverted,
  kStuckOk,
  kStuckFail,
  kUnknownPattern
};
// `answers`: so far. kInverted: every answer is the opposite of the right one.
CalibrationVerdict judge_calibration(const std::vector<Byte>& answers);
const char* calibration_text(CalibrationVerdict verdict);

enum class QuestionKind : std::uint8_t { kPair, kProof };
enum class StepKind : std::uint8_t { kAsk, kAskNot, kProbeOk, kProbeFail };
// Yes, no and not now have one pattern each; anything else is doubt.
enum class Verdict : std::uint8_t { kYes, kNo, kNotNow, kDoubt };

// pair: q !q         proof: + q q - !q q !q -
const std::vector<StepKind>& question_steps(QuestionKind kind);
// All answers of the question, in order. Precondition: one per step.
Verdict judge_question(QuestionKind kind, const std::vector<Byte>& answers);

}  // namespace tidegate
