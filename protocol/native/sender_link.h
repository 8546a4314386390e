// SPDX-License-Identifier: Apache-2.0
// SenderLink: the sending end of the native dialect as a pure state machine (doc/wire_format.md).
//
//   DOWN -> CONNECT -> CALIBRATE -> HELLO -> RUN (per stream: hello, RESOLVE, SEND <-> CONFIRM), and DOUBT
//   from anywhere. FENCED needs an operator; a stream that is STOPPED for a gap needs one too.
//
// It knows no socket, disk, clock or thread. The host feeds it connections, answer bytes, finished writes and
// the time, and carries out what take_actions() gives back, in order. All calls from one thread.
//
// The durability contract: a byte proves nothing by itself. The soft position moves with `ok`; data is
// released only up to the confirmed position, which is proven by content. A frame whose answer is missing,
// late, neither byte, or unexpected counts as not delivered: close, reconnect, resend.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/env.h"
#include "protocol/frame/outer_frame.h"
#include "protocol/native/chain_search.h"
#include "protocol/native/question.h"
#include "protocol/native/sender_store.h"
#include "protocol/native/settings.h"

namespace tidegate {

using LaneId = std::uint8_t;

struct SenderLinkOptions {
  std::uint8_t lanes = 1;
  std::uint32_t window = 1;            // frames in flight per lane
  std::size_t wire_limit = 1'000'000;  // bytes of a frame on the wire, wrap included
  Wrap wrap = Wrap::kNone;
  std::uint8_t answer_ok = 0x00;
  std::uint8_t answer_fail = 0xFF;
  AskMode ask = AskMode::kOwnPosition;
  Id receiver_expected;  // zeros: any
  std::string label;
  std::uint64_t codecs = 0;
  std::uint32_t largest_part_total = kDefaultPartTotal;
  std::uint64_t rate = 0;               // bytes per second over all lanes; 0: no limit
  std::uint64_t lowest_rate = 100'000;  // bytes per second, for the answer timeout
  LinkNanos connect_timeout = 10 * kLinkSecond;
  LinkNanos handshake_timeout = 5 * kLinkSecond;
  LinkNanos answer_timeout_base = 20 * kLinkSecond;
  LinkNanos beat = 10 * kLinkSecond;
  LinkNanos quiet_min = 1 * kLinkSecond;
  LinkNanos quiet_max = 60 * kLinkSecond;
  LinkNanos confirm_every = 60 * kLinkSecond;
  std::uint32_t questions_per_second = 2;
  std::uint32_t questions_per_minute = 64;
};

struct TxConnect {
  LaneId lane = 0;
};
struct TxWrite {
  LaneId lane = 0;
  Bytes bytes;
};
struct TxClose {
  LaneId lane = 0;
};
struct TxNotice {  // for the log and the alarms
  bool alarm = false;
  std::string text;
};
using TxAction = std::variant<TxConnect, TxWrite, TxClose, TxNotice>;

enum class LinkState : std::uint8_t { kDown, kConnect, kCalibrate, kHello, kRun, kDoubt, kFenced };
const char* link_state_name(LinkState state);

struct SenderLinkCounters {
  std::uint64_t sessions = 0, doubts = 0, frames = 0, wire_bytes = 0, batches = 0, resent_batches = 0,
                parts = 0;
  std::uint64_t answers_ok = 0, questions = 0, bits_disclosed = 0, forks = 0, gaps = 0, confirms = 0;
  // `fail` is the right answer to half of the probes, and may be the true one to a question: those are
  // expected. answers_fail: all others, which mean trouble.
  std::uint64_t answers_fail = 0, answers_fail_expected = 0;
};

struct SenderStreamView {
  StreamId stream = 0;
  std::string label, state, message;
  Seq head = 0, soft = 0, confirmed = 0, trimmed = 0;
  std::uint32_t generation = 0;
  bool stopped = false;
};

class SenderLink {
 public:
  // `store` and `random` outlive the link.
  SenderLink(SenderLinkOptions options, SenderStore* store, Random* random);
  ~SenderLink();

  // What a beat tells the other side, at most 64 KiB of JSON; and the wall clock of hello and beat in
  // microseconds. Both are asked at the moment the frame is built.
  void set_beat_source(std::function<std::string()> json) { beat_json_ = std::move(json); }
  void set_wall_clock(std::function<std::int64_t()> micros) { wall_clock_ = std::move(micros); }

  void start(LinkNanos now);
  void on_connected(LaneId lane, LinkNanos now);
  void on_closed(LaneId lane, const std::string& reason, LinkNanos now);  // not after TxClose
  void on_bytes(LaneId lane, ByteView answers, LinkNanos now);
  void on_written(LaneId lane, LinkNanos now);  // all bytes of the last TxWrite have left the process
  void on_batches_available(LinkNanos now);
  void on_time(LinkNanos now);
  void stop(LinkNanos now);  // no new frames; answers that are owed are waited for until the host gives up

  // Something wants to trim: confirm as soon as possible.
  void request_confirm(LinkNanos now);
  // The operator's statements (needed where the link may not decide: ask off, gap policy stop).
  // False: the stream is not stopped for a gap. What is declared is the gap that its message shows.
  bool declare_gap(StreamId stream, LinkNanos now);
  // kNotFound, kInvalidArgument: a base above the head, or whose chain is not known any more.
  Status fork_at(StreamId stream, Seq base, LinkNanos now);
  // For good, also when not all of it is sent: who wants it delivered waits for confirmed == head first.
  void end_stream(StreamId stream, const std::string& reason, LinkNanos now);

  std::vector<TxAction> take_actions();
  LinkNanos wake_at() const;

  LinkState state() const { return state_; }
  const std::string& message() const { return message_; }  // why it is not sending, for status
  // What closed the link last does not go away by itself: wrong polarity, a device that answers by itself, a
  // receiver that refuses this sender. It is tried again all the same; false as soon as it runs.
  bool needs_person() const { return needs_person_; }
  bool stopped() const;  // after stop(): nothing is outstanding any more
  // False: positions are taken as confirmed without proof (ask is off), or the receiver answers no questions.
  bool proves() const;
  const SenderLinkCounters& counters() const { return counters_; }
  std::vector<SenderStreamView> streams() const;

 private:
  struct Lane;
  struct Stream;
  struct InFlight;
  struct Control;
  enum class Purpose : std::uint8_t {
    kProbe,
    kLinkHello,
    kStreamHello,
    kBatch,
    kPart,
    kGap,
    kAsk,
    kBeat,
    kEnd
  };

  // ---- sender_link.cc: the session
  void step();
  void step_down();
  void step_connect();
  void step_calibrate();
  void step_hello();
  void step_run();
  void step_doubt();
  void doubt(const std::string& why, bool slow = false);
  void close_lanes();
  void set_state(LinkState state, std::string message);
  void on_answer(Lane& lane, Byte answer);
  void count_answer(const Lane& lane, Purpose purpose, Byte answer);
  void judge_lane_calibration(Lane& lane);
  void link_hello_answered(Lane& lane, Byte answer);
  void send(Lane& lane, Purpose purpose, StreamId stream, const MessageBody& body, Seq first = 0,
            Seq last = 0);
  void write_queued();
  LinkNanos answer_timeout(std::size_t wire_bytes) const;
  void notice(bool alarm, std::string text);
  void check_deadlines();
  void beat_lanes();
  bool lanes_idle() const;
  std::size_t body_limit() const;

  // ---- sender_control.cc: questions, stream hellos, resolve, confirm, gaps: one at a time, on the first
  // lane
  void step_control();
  void start_control();
  bool wants_opening(const Stream& s) const;
  void ask(const Question& question);
  void question_step();
  void question_answered(Byte answer);
  void verdict(Verdict verdict);
  void control_frame_answered(Purpose purpose, Byte answer);
  void open_stream(Stream& s);
  void send_stream_hello(Stream& s);
  void stream_hello_answered(Stream& s, Byte answer);
  void ask_next_reason(Stream* s);
  void reason_known(Stream* s, Reason reason);
  void refused_hello_reason(Stream& s, Reason reason);
  void refused_frame_reason(Stream& s, Reason reason);
  void resolve_soft(Stream& s);
  void search(Stream& s, KnownSeqs list, bool prove);
  void search_step();
  void search_done(Stream& s, Seq b);
  void resume(Stream& s);
  void fork(Stream& s, Seq b);
  void lower_or_fork(Stream& s, Seq b);
  void start_missing(Stream& s, Seq to);
  void end_answered(Stream& s, Byte answer);
  void open_verdict(Stream& s, Verdict verdict);
  void send_gap(Stream& s, Seq b);
  void gap_answered(Stream& s, Byte answer);
  void ask_proof_position(Stream& s, Seq n);
  void hello_without_questions(Stream& s, Byte answer);
  void start_confirm();
  void confirm_verdict(Verdict verdict);
  bool confirm_due() const;
  bool control_wants_lane() const;
  bool stop_when_fenced(Verdict verdict);
  void leave_unreadable();
  void confirm_without_questions();
  void wait_alone(Stream& s, const std::string& why, bool alarm);
  void finish_control();
  KnownSeqs all_known(const Stream& s) const;
  KnownSeqs known_between(const Stream& s, Seq first, Seq last) const;
  LinkNanos question_allowed_at() const;

  // ---- sender_data.cc: batches and parts
  void step_data();
  bool send_next(Lane& lane);
  bool send_part(Lane& lane, Stream& s);
  bool send_batches(Lane& lane, Stream& s);
  Lane* free_lane();
  Stream* next_stream();
  void data_answered(const InFlight& frame, Byte answer);
  void refused_without_reason(Stream& s);
  bool may_send_more(const Stream& s) const;
  void session_over();
  void sync_streams();
  bool in_store(StreamId id) const;  // a stream may be dropped at any time
  Stream* find_stream(StreamId id);

  SenderLinkOptions options_;
  SenderStore* store_;
  Random* random_;
  std::function<std::string()> beat_json_;
  std::function<std::int64_t()> wall_clock_;

  LinkState state_ = LinkState::kDown;
  std::string message_;
  bool needs_person_ = false;
  LinkNanos now_ = 0;
  LinkNanos state_since_ = 0;
  LinkNanos quiet_ = 0;
  LinkNanos quiet_until_ = 0;
  bool stopping_ = false;
  bool started_ = false;
  std::uint64_t session_ = 0;
  std::uint64_t nonce_ = 0;
  bool hello_refused_ = false;  // the last set's link hello: the next set uses the same session and nonce
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::map<StreamId, std::unique_ptr<Stream>> streams_;
  std::unique_ptr<Control> control_;
  std::deque<LinkNanos> question_times_;
  LaneId next_lane_ = 0;
  StreamId last_stream_ = 0;
  LaneId writing_lane_ = 0;
  bool writing_ = false;                 // a frame is leaving its socket: those of other lanes wait
  std::deque<TxWrite> queued_;           // control frames and beats that wait for it
  StreamId refused_stream_ = 0;          // whose frame was answered `fail` in this session
  std::uint32_t unproven_confirms_ = 0;  // in a row that the receiver could not judge
  LinkNanos last_beat_ = 0;
  double tokens_ = 0;  // of the rate limit, bytes; may be negative
  LinkNanos tokens_at_ = 0;
  std::uint32_t timeouts_in_row_ = 0;
  std::uint32_t timeout_factor_ =
      1;  // doubled by two answer timeouts in a row; the frame fill is divided by it
  std::uint32_t good_in_row_ = 0;
  bool confirm_requested_ = false;
  LinkNanos last_confirm_ = 0;
  LinkNanos confirm_not_before_ = 0;
  std::vector<TxAction> actions_;
  SenderLinkCounters counters_;
};

}  // namespace tidegate
