// SPDX-License-Identifier: Apache-2.0
// ReceiverLink: the receiving end of the native dialect as a pure state machine (rules R1 to R14 of
// doc/wire_format.md).
//
// It knows no socket, disk, clock or thread: the host feeds it accepted connections, bytes, acknowledgements,
// finished stores and the time, and carries out what take_actions() gives back, in order. One ReceiverLink
// serves all connections of one listener, of any number of senders.
//
// The durability contract: `ok` to a batch on the wire means that the batch, and every batch before it in its
// stream, is synced in the receiver's journal. This class is where that byte is decided: see finish_batch().
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "protocol/frame/outer_frame.h"
#include "protocol/native/question.h"
#include "protocol/native/receiver_store.h"
#include "protocol/native/settings.h"

namespace tidegate {

using ConnectionId = std::uint64_t;
using StoreToken = std::uint64_t;

struct ReceiverLinkOptions {
  std::size_t wire_limit = 1'000'000;  // bytes of a frame on the wire, wrap included
  std::uint32_t largest_part_total = kDefaultPartTotal;
  std::uint8_t max_lanes = 16;
  std::size_t memory_limit = 256ULL << 20;  // of batches held, parts and what the store has not yet taken
  std::size_t frames_unanswered = 256;      // of one connection; more: close
  AskMode ask = AskMode::kOwnPosition;
  LinkNanos frame_stall = 3 * kLinkSecond;  // no progress inside a frame: close
  LinkNanos beat = 10 * kLinkSecond;        // three silent ones: close
  LinkNanos hold = 5 * kLinkSecond;         // out-of-order frames of other lanes wait this long at most
  LinkNanos incumbent_silence = 60 * kLinkSecond;
  double questions_per_second = 2;
  double questions_per_minute = 64;
};

struct RxAnswer {
  ConnectionId connection = 0;
  Byte answer = Byte::kOk;
};
struct RxClose {
  ConnectionId connection = 0;
  std::string reason;  // for the log
};
struct RxStore {
  StoreToken token = 0;
  StoreRequest request;
};
struct RxNotice {  // for the log and the alarms
  bool alarm = false;
  std::string text;
};
using RxAction = std::variant<RxAnswer, RxClose, RxStore, RxNotice>;

struct ReceiverLinkCounters {
  std::uint64_t frames = 0, damaged_frames = 0, batches = 0, duplicate_batches = 0, parts = 0, gaps = 0,
                forks = 0;
  std::uint64_t answers_ok = 0, answers_fail = 0, questions = 0, bits_disclosed = 0, wire_bytes = 0;
};

struct SenderView {  // what the receiver's status shows of a sender
  Id journal, sender;
  std::string label;
  std::uint64_t session = 0;
  std::size_t lanes = 0;
  LinkNanos last_heard = 0;
  std::int64_t beat_clock_micros = 0;
  LinkNanos beat_at = -1;  // -1: no beat yet
  std::string beat_json;
};

class ReceiverLink {
 public:
  ReceiverLink(ReceiverLinkOptions options, ReceiverStore* store);
  ~ReceiverLink();

  // R9: while not ready, connections are accepted and closed.
  void set_ready(bool ready);

  void on_accepted(ConnectionId connection, const std::string& peer, LinkNanos now);
  void on_bytes(ConnectionId connection, ByteView bytes, LinkNanos now);
  void on_closed(ConnectionId connection, LinkNanos now);  // by the peer; not after RxClose
  // R1: the answer byte has been acknowledged by the peer's TCP (SIOCOUTQ = 0): the next one may be written.
  void on_answer_acknowledged(ConnectionId connection, LinkNanos now);
  void on_stored(StoreToken token, const Status& status, LinkNanos now);
  void on_time(LinkNanos now);
  void stop(LinkNanos now);  // closes everything

  std::vector<RxAction> take_actions();
  // When on_time wants to be called; kNever when nothing waits.
  LinkNanos wake_at() const;

  const ReceiverLinkCounters& counters() const { return counters_; }
  std::size_t memory() const { return memory_; }  // of ReceiverLinkOptions::memory_limit
  std::vector<SenderView> senders() const;

 private:
  struct Slot;
  struct Connection;
  struct Session;
  struct Stream;
  struct Held;
  struct Pending;
  struct FrameContext;
  using StreamKey = std::pair<Id, StreamId>;

  Connection* find(ConnectionId id);
  void handle_frame(Connection& c, ByteView payload);
  void handle_damaged(Connection& c);
  void dispatch(Connection& c, const Message& message);
  void on_probe(Connection& c, const Probe& probe);
  void on_link_hello(Connection& c, const NativeHeader& header, const LinkHello& hello);
  Reason judge_link_hello(const LinkHello& hello, const NativeHeader& header, bool* supersedes,
                          bool* fresh_journal);
  void on_stream_hello(Connection& c, StreamId id, const StreamHello& hello);
  void evaluate_stream_hello(Connection& c, StreamId id, const StreamHello& hello, std::uint64_t slot);
  Reason judge_stream_hello(const Id& journal, StreamId id, const StreamHello& hello, const FarStream& far,
                            bool* opens);
  void on_batch(Connection& c, StreamId id, const BatchFrame& batch);
  void on_part(Connection& c, StreamId id, const PartFrame& part);
  void on_gap(Connection& c, StreamId id, const GapFrame& gap);
  void on_ask(Connection& c, StreamId id, const Ask& ask);
  void on_beat(Connection& c, const Beat& beat);
  void on_end(Connection& c, StreamId id, const End& end);

  // R2 to R5: what to do with batches first..last of a stream. Either a slot waits for a sync, or `fail`.
  void finish_batch(Connection& c, StreamId id, const BatchFrame& batch, std::uint64_t slot);
  void store_batches(Connection& c, Stream& s, const BatchFrame& batch, std::uint32_t skip,
                     std::uint64_t slot);
  void hold_frame(Connection& c, Stream& s, StreamId id, const BatchFrame& batch, std::uint64_t slot);
  void retry_held(Stream& s);
  enum class Truth : std::uint8_t { kYes, kNo, kCannot };
  Truth evaluate(const Id& journal, StreamId id, const Ask& ask) const;
  Truth evaluate_claim(const Id& journal, const ChainClaim& claim) const;
  std::optional<Hash128> known_chain(const Stream& s, Seq n) const;

  std::uint64_t open_slot(Connection& c);
  void fill(Connection& c, std::uint64_t slot, Byte answer, LinkNanos not_before = 0);
  void fill_if_there(ConnectionId id, std::uint64_t slot, Byte answer);
  void pump(Connection& c);
  // R6: `fail`, then nothing more on this session.
  void refuse(Connection& c, StreamId id, std::uint64_t slot, Reason reason, const std::string& what);
  void remember(const Id& journal, StreamId id, Reason reason);
  void forget(const Id& journal, StreamId id);  // a batch, final part or gap is answered `ok`
  void close(ConnectionId id, const std::string& reason);
  void close_session(const Id& journal, const std::string& reason, ConnectionId except = 0);
  void supersede(const Id& journal, const std::string& reason);
  Stream& stream(const Id& journal, StreamId id);
  void load_durable(Stream& s);
  StoreToken store(StoreRequest request, Pending pending);
  bool has_memory(Connection& c, std::size_t bytes);  // false: the connection was closed
  void release_waiters(Stream& s);
  void finish_session(const Pending& done, StoreToken token, const Status& status);
  void finish_failed(Stream& s, const Pending& done, const Error& error);
  void on_drained_hello(Connection& c, Stream& s, std::uint64_t slot, const StreamHello& hello);
  void reap();
  void notice(bool alarm, std::string text);
  LinkNanos question_slot(Connection& c, StreamId id, const Ask& ask);

  ReceiverLinkOptions options_;
  ReceiverStore* store_;
  bool ready_ = true;
  LinkNanos now_ = 0;
  std::size_t memory_ = 0;  // in use; outlives what is charged to it
  std::map<ConnectionId, std::unique_ptr<Connection>> connections_;
  std::map<Id, Session> sessions_;  // by journal: the newest one heard of in this process
  std::map<StreamKey, std::unique_ptr<Stream>> streams_;
  std::map<StreamKey, Reason> reasons_;  // of the last `fail`, in memory, across sessions
  std::map<StoreToken, Pending> pending_;
  StoreToken next_token_ = 1;
  std::uint64_t next_slot_ = 1;
  std::vector<RxAction> actions_;
  std::map<Id, std::deque<LinkNanos>> question_times_;  // by journal
  LinkNanos listening_since_ = -1;                      // the first connection; -1: none yet
  ReceiverLinkCounters counters_;
};

}  // namespace tidegate
