// SPDX-License-Identifier: Apache-2.0
// The one list of error codes and the value that carries one.
//
// Errors on the data path are values. A code says what kind of thing went wrong, `detail` says what exactly,
// the `where` fields say where. text() joins them to one line that an operator can act on. Exceptions are for
// start-up only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate {

// X(name, sentence). The sentence is complete, in the present tense, and never repeats the detail.
#define TIDEGATE_ERROR_LIST(X)                                                              \
  X(kTruncated, "the input ends before the value is complete")                              \
  X(kMalformed, "the input does not follow the format")                                     \
  X(kTooLarge, "a length exceeds its limit")                                                \
  X(kChecksum, "the stored and the computed checksum differ")                               \
  X(kUnsupported, "this version, codec or kind is not known here")                          \
  X(kNotCanonical, "the bytes are readable but not in their canonical form")                \
  X(kUnrepresentable, "the value cannot be represented in the target format")               \
  X(kInvalidArgument, "an argument is not allowed here")                                    \
  X(kInvalidConfiguration, "the configuration is refused")                                  \
  X(kNotFound, "it does not exist")                                                         \
  X(kAlreadyExists, "it exists already")                                                    \
  X(kLocked, "another process holds the lock")                                              \
  X(kIdentity, "the identity does not match")                                               \
  X(kIo, "the operating system reports an input or output error")                           \
  X(kNoSpace, "there is no space left")                                                     \
  X(kPoisoned, "an earlier write or sync failed, nothing more is accepted until a restart") \
  X(kDamaged, "stored data is damaged")                                                     \
  X(kTrimmed, "the data has been released and is gone")                                     \
  X(kNotDurable, "the data is not yet on stable storage")                                   \
  X(kOutOfMemoryBudget, "the memory budget is used up")                                     \
  X(kBusy, "it is busy, try again later")                                                   \
  X(kTimeout, "there was no answer in time")                                                \
  X(kClosed, "it is closed")                                                                \
  X(kUnreachable, "the peer cannot be reached")                                             \
  X(kUnauthorized, "the credentials are missing or wrong")                                  \
  X(kRefused, "the peer refuses this for good")                                             \
  X(kNotContiguous, "the sequence has a hole")                                              \
  X(kDiverged, "the same sequence holds other content")                                     \
  X(kInternal, "an assumption of the program does not hold")

enum class ErrorCode : std::uint8_t {
#define TIDEGATE_X(name, sentence) name,
  TIDEGATE_ERROR_LIST(TIDEGATE_X)
#undef TIDEGATE_X
};

// The enumerator's name, e.g. "kTruncated"; for logs and JSON.
std::string_view error_name(ErrorCode code);
// The sentence of the list.
std::string_view error_sentence(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string detail;  // what exactly, with the values seen, and what to do where that is known
  std::string pipe;
  std::string peer;
  std::string path;
  std::optional<std::uint64_t> sequence;  // LSN or stream sequence, as the detail says
  std::optional<std::uint32_t> line;      // 1-based
  std::optional<std::uint32_t> column;    // 1-based

  Error() = default;
  Error(ErrorCode c, std::string d) : code(c), detail(std::move(d)) {}

  Error&& in_pipe(std::string v) && { return pipe = std::move(v), std::move(*this); }
  Error&& from_peer(std::string v) && { return peer = std::move(v), std::move(*this); }
  Error&& at_path(std::string v) && { return path = std::move(v), std::move(*this); }
  Error&& at_sequence(std::uint64_t v) && { return sequence = v, std::move(*this); }
  Error&& at_line(std::uint32_t l, std::uint32_t c = 0) && {
    line = l;
    if (c != 0) column = c;
    return std::move(*this);
  }

  // "path:line:column: detail: sentence (pipe p, peer q, sequence n)", without what is absent or said twice.
  std::string text() const;
};

}  // namespace tidegate
