// SPDX-License-Identifier: Apache-2.0
// ReceiverLink under a sequence of events that the input spells: connections, whole frames of every kind with
// small numbers, raw bytes, acknowledgements, finished and failed stores, time. Invariants, whatever happens:
// at most one unacknowledged answer per connection; never more answers than frames; no `ok` to a batch, part
// or gap that the store has not got; nothing on a connection that was closed.
#include <cstdlib>
#include <deque>
#include <map>
#include <set>
#include <tuple>

#include "protocol/native/receiver_test_rig.h"

namespace tidegate {
namespace {

void expect(bool condition) {
  if (!condition) std::abort();
}

class Host {
 public:
  explicit Host(ByteView script) : script_(script), link_(options(), &store_) {}

  void run() {
    open(1);
    open(2);
    while (script_.remaining() > 0) step();
    for (auto& request : std::exchange(disk_, {}))
      link_.on_stored(request.first, apply(request.second), now_);
    drain();
    link_.stop(now_);
    drain();
    expect(lines_.empty());
  }

 private:
  // What an `ok` to a frame promises.
  struct Promise {
    StreamId stream = 0;
    Seq last = 0;
    std::optional<Hash128> chain;
  };
  struct Line {
    std::uint32_t frames = 0;
    std::uint64_t session = 1;
    bool raw = false;  // raw bytes were fed: what the frames are is not known any more
    bool unacknowledged = false;
    std::deque<Promise> owed;
  };

  static ReceiverLinkOptions options() {
    ReceiverLinkOptions out;
    out.wire_limit = 4096;
    out.largest_part_total = 512;
    return out;
  }

  void step() {
    const std::uint8_t op = script_.u8();
    const ConnectionId c = 1 + script_.u8() % 4;
    switch (op % 10) {
      case 0:
        if (script_.u8() % 2 == 0) return accept(c, 1 + script_.u8() % 4);
        if (script_.u8() % 2 == 0) ++session_;
        return open(c);
      case 1:
        if (lines_.contains(c)) link_.on_closed(c, now_), lines_.erase(c);
        return drain();
      case 2:
        now_ += LinkNanos{script_.u8()} * 200 * kLinkMillisecond;
        link_.on_time(now_);
        return drain();
      case 3:
        return finish_store(script_.u8() % 4 != 0);
      case 4:
        return acknowledge(c);
      case 5:
        if (!lines_.contains(c)) return;
        lines_[c].raw = true;
        link_.on_bytes(c, script_.bytes(std::min<std::size_t>(script_.u8(), script_.remaining())), now_);
        return drain();
      default:
        return send(c, op / 10 % 10);
    }
  }
  // A lane of the current session with both streams open, so that most inputs get past the greeting.
  void open(ConnectionId c) {
    if (lines_.contains(c)) return;
    accept(c, session_);
    say(c, ReceiverRig::link_hello(2, session_), 0, {});
    settle();
    for (const StreamId stream : {1, 2}) {
      if (!lines_.contains(c)) return;
      const FarStream far = store_.stream(test_id(2), stream);
      StreamHello hello = histories_[stream - 1].hello(0);
      hello.generation = std::max<std::uint32_t>(far.generation, 1);
      say(c, hello, stream, {});
      settle();
    }
  }
  void settle() {
    while (!disk_.empty()) finish_store(true);
    for (ConnectionId c = 1; c <= 4; ++c) acknowledge(c);
  }
  void acknowledge(ConnectionId c) {
    while (lines_.contains(c) && lines_[c].unacknowledged) {
      lines_[c].unacknowledged = false;
      link_.on_answer_acknowledged(c, now_);
      drain();
    }
  }
  void accept(ConnectionId c, std::uint64_t session) {
    if (lines_.contains(c)) return;
    lines_[c].session = session;
    link_.on_accepted(c, "fuzz", now_);
    drain();
  }
  void finish_store(bool good) {
    if (disk_.empty()) return;
    auto [token, request] = std::move(disk_.front());
    disk_.pop_front();
    link_.on_stored(token, good ? apply(request) : Status(make_error(ErrorCode::kNoSpace, "fuzz")), now_);
    drain();
  }

  void send(ConnectionId c, int kind) {
    if (!lines_.contains(c)) return;
    const auto stream = static_cast<StreamId>(1 + script_.u8() % 2);
    const History& h = script_.u8() % 4 == 0 ? others_[stream - 1] : histories_[stream - 1];
    const std::uint8_t place = script_.u8();  // mostly near the position, where it matters
    const Seq position = store_.stream(test_id(2), stream).position;
    const Seq a = std::min<Seq>(place % 4 == 0 ? 1 + place / 4 % 12 : position + place / 4 % 3, 12);
    const Seq b = std::min<Seq>(a + script_.u8() % 4, 14);
    if (a == 0) return;
    Promise promise{stream, b, h.chain(b)};
    switch (kind) {
      case 0:
        return say(c, Probe{a % 2 == 0}, 0, {});
      case 1:
      case 2:
        return say(
            c,
            ReceiverRig::link_hello(static_cast<std::uint8_t>(1 + a % 2), b % 4 == 0 ? 0 : lines_[c].session),
            0, {});
      case 3:
      case 4:
        return say(c, h.hello(a - 1, static_cast<std::uint32_t>(b % 4), a - 1), stream, {});
      case 5:
        return say(c, h.gap(a, b), stream, promise);
      case 6:
        return say_part(c, h, a, stream);
      case 7:
        return say(c, h.chain_at(a, b % 2 == 0, stream), stream, {});
      case 8:
        return say(c, a % 2 == 0 ? MessageBody(Beat{}) : MessageBody(End{}), a % 2 == 0 ? 0 : stream, {});
      default:
        return say(c, h.frame(a, b), stream, promise);
    }
  }
  void say_part(ConnectionId c, const History& h, Seq seq, StreamId stream) {
    const Bytes body = encode_batch_body(h.frame(seq, seq));
    const auto from = static_cast<std::uint32_t>(script_.u8() % body.size());
    const std::size_t size = 1 + script_.u8() % (body.size() - from);
    const PartFrame part{seq, from, static_cast<std::uint32_t>(body.size()),
                         ByteView(body).subspan(from, size)};
    say(c, part, stream, part.is_final() ? Promise{stream, seq, h.chain(seq)} : Promise{});
  }
  void say(ConnectionId c, const MessageBody& body, StreamId stream, Promise promise) {
    Line& line = lines_[c];
    NativeHeader header;
    header.session = line.session;
    header.stream = stream;
    header.lane = static_cast<std::uint8_t>(c);
    header.frame_number = ++line.frames;
    header.salt = script_.u8() % 2;
    line.owed.push_back(promise);
    link_.on_bytes(c, encode_outer_frame(encode_message(header, body), Wrap::kNone), now_);
    drain();
  }

  Status apply(const StoreRequest& request) {
    const Status status = store_.apply(request);
    for (const StreamId stream : {1, 2})
      for (Seq n = 0; n <= store_.stream(test_id(2), stream).position; ++n)
        if (const auto chain = store_.chain(test_id(2), stream, n)) durable_.insert({stream, n, *chain});
    return status;
  }

  void drain() {
    for (auto actions = link_.take_actions(); !actions.empty(); actions = link_.take_actions())
      for (RxAction& action : actions) act(action);
  }
  void act(RxAction& action) {
    if (const auto* answer = std::get_if<RxAnswer>(&action)) {
      expect(lines_.contains(answer->connection));
      answered(lines_[answer->connection], answer->answer);
    } else if (const auto* close = std::get_if<RxClose>(&action)) {
      expect(lines_.erase(close->connection) == 1);
    } else if (auto* request = std::get_if<RxStore>(&action)) {
      disk_.emplace_back(request->token, std::move(request->request));
    }
  }
  void answered(Line& line, Byte answer) {
    expect(!line.unacknowledged);
    line.unacknowledged = true;
    if (line.raw) return;
    expect(!line.owed.empty());
    const Promise promise = line.owed.front();
    line.owed.pop_front();
    if (answer == Byte::kFail || !promise.chain) return;
    // Not "is": the byte may have waited behind another one while a fork went back.
    expect(durable_.contains({promise.stream, promise.last, *promise.chain}));
  }

  ByteReader script_;
  MemoryReceiverStore store_;
  ReceiverLink link_;
  std::uint64_t session_ = 1;
  History histories_[2] = {History(14, 1), History(14, 2)};
  History others_[2] = {histories_[0].branch(1, 13), histories_[1].branch(2, 12)};
  LinkNanos now_ = kLinkSecond;
  std::map<ConnectionId, Line> lines_;
  std::deque<std::pair<StoreToken, StoreRequest>> disk_;
  std::set<std::tuple<StreamId, Seq, Hash128>> durable_;  // ever
};

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tidegate::Host(tidegate::ByteView(data, size)).run();
  return 0;
}
