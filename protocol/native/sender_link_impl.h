// SPDX-License-Identifier: Apache-2.0
// Private parts of SenderLink, shared by its source files.
#pragma once

#include <algorithm>

#include "protocol/native/sender_link.h"

namespace tidegate {

constexpr std::uint32_t kUnprovenConfirms = 3;  // in a row, 5 s apart: then the operator is told
constexpr const char* kAnswersNoQuestions =
    "the receiver answers no questions, so nothing can be confirmed: set `ask` alike on both sides";

struct SenderLink::InFlight {
  Purpose purpose = Purpose::kProbe;
  StreamId stream = 0;
  Seq first = 0;
  Seq last = 0;  // kBatch, final kPart: what `ok` makes soft; 0: nothing
  LinkNanos deadline = 0;
  std::size_t wire_bytes = 0;
  bool queued = false;   // waits until the frame of another lane has left its socket
  bool written = false;  // has left the socket
};

struct SenderLink::Lane {
  LaneId id = 0;
  bool connected = false;
  bool ready = false;  // the link hello was answered ok
  std::uint32_t frame_number = 0;
  std::deque<InFlight> in_flight;
  std::vector<Byte> calibration;
  bool calibrated = false;
  bool hello_sent = false;
  bool refused = false;
  StreamId parting = 0;  // a batch of this stream is crossing in parts: nothing else goes on this lane
  LinkNanos last_sent = 0;
  bool idle() const { return in_flight.empty() && parting == 0; }
};

struct SenderLink::Stream {
  enum class Phase : std::uint8_t { kClosed, kOpening, kOpen, kStoppedGap, kEnding, kEnded };
  StreamId id = 0;
  Phase phase = Phase::kClosed;
  std::string message;
  LinkNanos retry_at = 0;
  LinkNanos backoff = 0;
  Seq soft = 0;
  Seq next = 1;      // next seq to send in this session
  Seq farthest = 0;  // highest seq ever sent, to count what is sent again
  std::size_t in_flight = 0;
  // a batch that crosses in parts
  Bytes part_body;
  std::size_t part_offset = 0;
  Seq part_seq = 0;
  // history of refusals
  bool ask_reason = false;  // a frame was refused, or its answers never come
  bool damage_believed =
      false;  // that reason is kept for the whole link: believed once until data is accepted
  std::uint32_t refused_in_row = 0;
  std::uint32_t silent_sessions = 0;
  bool sent_this_session = false;
  bool answered_this_session = false;
  bool lowered_this_session = false;
  std::uint32_t forks_this_session = 0;
  LinkNanos confirmed_at = -1;  // when a confirm of this session last spoke of it; -1: not yet
  bool unreadable = false;      // the next batch cannot be given any more
  // ask: off
  std::uint32_t hello_refusals = 0;
  bool hello_lowest = false;
  Seq hello_confirmed = 0;  // what the hello under way says
  // the operator's statements
  struct Hole {
    Seq common = 0, to = 0;
  };
  Hole shown_gap;                    // kStoppedGap: what the message shows
  std::optional<Hole> operator_gap;  // may be declared: this one, or a smaller one with the same end
  std::optional<Seq> operator_fork;
  std::optional<std::string> end_reason;
};

// The one control task under way: it owns the first lane while it has something to say.
struct SenderLink::Control {
  enum class Task : std::uint8_t { kLinkRefused, kOpenStream, kConfirm, kEnd };
  enum class Stage : std::uint8_t {
    kStart,
    kHello,
    kRefusedBeat,
    kHelloReason,
    kFrameReason,
    kLinkReason,
    kFencedProof,
    kSoftPair,
    kSearch,
    kForkPosition,
    kGapPosition,
    kGap,
    kConfirm,
    kEnd
  };
  enum class Goal : std::uint8_t { kResume, kFrameRefused, kHelloRefused, kMissing };
  Task task = Task::kOpenStream;
  Stage stage = Stage::kStart;
  StreamId stream = 0;
  bool frame_out = false;  // a frame of this task waits for its answer
  // question under way
  std::optional<Question> question;
  std::vector<Byte> answers;
  bool question_started = false;
  // search under way
  std::optional<ChainSearch> search;
  Goal goal = Goal::kResume;
  Seq common = 0;      // b, once found
  Seq missing_to = 0;  // kMissing: last number whose content is gone
  Reason reason = Reason::kNone;
  std::size_t reason_index = 0;
  std::vector<ChainClaim> claims;
};

}  // namespace tidegate
