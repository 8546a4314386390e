// SPDX-License-Identifier: Apache-2.0
#include "protocol/native/question.h"

#include <algorithm>

namespace tidegate {

CalibrationVerdict judge_calibration(const std::vector<Byte>& answers) {
  if (answers.size() < kCalibration.size()) return CalibrationVerdict::kMore;
  bool right = true, opposite = true, all_ok = true, all_fail = true;
  for (std::size_t i = 0; i < kCalibration.size(); ++i) {
    const bool ok = answers[i] == Byte::kOk;
    right &= ok == kCalibration[i];
    opposite &= ok != kCalibration[i];
    all_ok &= ok;
    all_fail &= !ok;
  }
  if (right) return CalibrationVerdict::kGood;
  if (opposite) return CalibrationVerdict::kInverted;
  if (all_ok) return CalibrationVerdict::kStuckOk;
  if (all_fail) return CalibrationVerdict::kStuckFail;
  return CalibrationVerdict::kUnknownPattern;
}

const char* calibration_text(CalibrationVerdict verdict) {
  switch (verdict) {
    case CalibrationVerdict::kMore:
      return "calibration is not complete";
    case CalibrationVerdict::kGood:
      return "answers come from the receiver";
    case CalibrationVerdict::kInverted:
      return "all answers are the opposite of the right ones: the polarity of the profile is inverted "
             "(exchange answer_ok and answer_fail)";
    case CalibrationVerdict::kStuckOk:
      return "every answer is ok: the device answers by itself, answers do not come from the receiver";
    case CalibrationVerdict::kStuckFail:
      return "every answer is fail: the device or the receiver refuses everything";
    case CalibrationVerdict::kUnknownPattern:
      return "the answers fit no pattern: stray bytes from an earlier connection or a faulty device";
  }
  return "";
}

const std::vector<StepKind>& question_steps(QuestionKind kind) {
  using enum StepKind;
  static const std::vector<StepKind> pair = {kAsk, kAskNot};
  static const std::vector<StepKind> proof = {kProbeOk, kAsk, kAsk,    kProbeFail,
                                              kAskNot,  kAsk, kAskNot, kProbeFail};
  return kind == QuestionKind::kPair ? pair : proof;
}

Verdict judge_question(QuestionKind kind, const std::vector<Byte>& answers) {
  const std::vector<StepKind>& steps = question_steps(kind);
  bool yes = true, no = true, not_now = true;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool ok = answers.at(i) == Byte::kOk;
    switch (steps[i]) {
      case StepKind::kAsk:
        yes &= ok, no &= !ok, not_now &= !ok;
        break;
      case StepKind::kAskNot:
        yes &= !ok, no &= ok, not_now &= !ok;
        break;
      case StepKind::kProbeOk:
        yes &= ok, no &= ok, not_now &= ok;
        break;
      case StepKind::kProbeFail:
        yes &= !ok, no &= !ok, not_now &= !ok;
        break;
    }
  }
  if (yes) return Verdict::kYes;
  if (no) return Verdict::kNo;
  return not_now ? Verdict::kNotNow : Verdict::kDoubt;
}

}  // namespace tidegate
